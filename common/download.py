"""The name under which the published course imports the downloads."""

from common.downloads.fetching import ArchiveError, DownloadError, fetch, fetch_fddb, fetch_unpacked, unpack  # noqa: F401

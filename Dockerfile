# JupyterLab with this kit, everything installed from the lock, as a user who is not root.
#
#   docker build -t face-detectors .
#   docker run --rm --init -p 127.0.0.1:8888:8888 face-detectors
#   docker run --rm --init -p 127.0.0.1:8888:8888 --user "$(id -u):$(id -g)" -v "$PWD/work:/work" face-detectors
#
# For students, without the answers:  docker build --build-arg ANSWERS=no -t face-detectors:students .
# With NVIDIA's libraries (run it with --gpus all):  docker build --build-arg VARIANT=gpu -t face-detectors:gpu .
# A JupyterHub starts jupyterhub-singleuser in it (docs/instructor.md).
# The base is Debian 12, whose Python is the 3.11 that the lock is made for; pinned by its date.
ARG BASE=docker.io/library/debian:bookworm-20250520-slim

FROM ${BASE} AS packages
ARG VARIANT=cpu
ENV DEBIAN_FRONTEND=noninteractive PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# Debian removes old versions from its archive, so exact ones cannot be pinned here; the base and the lock are.
# hadolint ignore=DL3008
RUN set -eu; \
    apt-get update; \
    apt-get install -y --no-install-recommends ca-certificates python3-venv; \
    rm -rf /var/lib/apt/lists/*
COPY requirements.lock requirements-hub.lock requirements-gpu.lock /tmp/
RUN set -eu; \
    python3 -m venv /opt/venv; \
    case "${VARIANT}" in \
        cpu) set -- ;; \
        gpu) set -- -r /tmp/requirements-gpu.lock ;; \
        *) echo "VARIANT is cpu or gpu, not ${VARIANT}" >&2; exit 1 ;; \
    esac; \
    /opt/venv/bin/pip install --no-compile --require-hashes -r /tmp/requirements.lock -r /tmp/requirements-hub.lock "$@"; \
    # compiled by content: a layer rounds the times of files, and by these a third of the packages would be compiled anew at
    # every start; a few files are templates and no Python
    /opt/venv/bin/python -m compileall -q -q -j 0 --invalidation-mode unchecked-hash /opt/venv/lib || true

# A stage of its own: what is left out here is in no layer of the image.
FROM packages AS kit
ARG ANSWERS=yes
COPY . /opt/whole/
WORKDIR /opt/whole
RUN set -eu; \
    case "${ANSWERS}" in \
        yes) cp -a /opt/whole /opt/kit ;; \
        no) MPLCONFIGDIR=/tmp/matplotlib /opt/venv/bin/python -m common.grading.student_package --folder /opt/kit; cp -a docker /opt/kit/ ;; \
        *) echo "ANSWERS is yes or no, not ${ANSWERS}" >&2; exit 1 ;; \
    esac

FROM ${BASE}
ARG UID=1000
ARG GID=1000
# hadolint ignore=DL3008
RUN set -eu; \
    export DEBIAN_FRONTEND=noninteractive; \
    apt-get update; \
    apt-get install -y --no-install-recommends ca-certificates python3; \
    rm -rf /var/lib/apt/lists/*; \
    groupadd --gid "${GID}" student; \
    useradd --uid "${UID}" --gid "${GID}" --create-home --shell /bin/bash student; \
    # any user that `docker run --user` names must be able to use both: Jupyter writes to its home
    mkdir /work; chmod 1777 /work /home/student
COPY --from=packages /opt/venv /opt/venv
COPY --from=kit /opt/kit /opt/kit
ENV PATH=/opt/venv/bin:$PATH HOME=/home/student USER=student SHELL=/bin/bash LANG=C.UTF-8 \
    PYTHONUNBUFFERED=1 MPLCONFIGDIR=/tmp/matplotlib KIT_IN_CONTAINER=1
USER ${UID}:${GID}
WORKDIR /work
# the image is not finished if something is missing in it
RUN set -eu; HOME=/tmp/home MPLCONFIGDIR=/tmp/home PYTHONPATH=/opt/kit python -m common.doctor; rm -rf /tmp/home
EXPOSE 8888
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "/opt/kit/docker/start.py", "--healthy"]
ENTRYPOINT ["python", "/opt/kit/docker/start.py"]

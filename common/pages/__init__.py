"""An executed notebook as one HTML page: folded hints, pictures with words, light and dark, no script and no network."""

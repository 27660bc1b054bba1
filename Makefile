# The whole set-up is Python 3.11 to 3.13 and make; kit.py makes .venv from requirements.lock first.
PYTHON ?= python3
TASK ?= RegionDetector
SUBMISSIONS ?= submissions
FOLDS ?= 10
NETWORK ?= pyramid
UV ?= .venv/bin/uv pip compile
LOCK = --quiet --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header
EXTRAS = requirements-setup requirements-cluster requirements-hub tests/browser/requirements-browser tests/prose/requirements-prose

.PHONY: run pictures lab test test-slow test-browser test-prose test-hub test-jax test-oldest lint wheelhouse doctor student grade fddb detector lock clean

run:            ## run both notebooks, write pages and results to build/
	@$(PYTHON) kit.py run
pictures:       ## make the pictures of the README and of docs/index.html anew, from the built-in data
	@$(PYTHON) kit.py run --build build/pictures --pictures docs
lab:            ## open JupyterLab
	@$(PYTHON) kit.py lab
test:           ## run the tests, as many at a time as there are cores and memory for
	@$(PYTHON) kit.py test
test-slow:      ## the tests that take minutes each: whole classes graded, the students' package run
	@$(PYTHON) kit.py test -m slow
test-browser:   ## drive JupyterLab in a Chromium that is on the machine already
	@$(PYTHON) kit.py setup
	@.venv/bin/python -m pip install --quiet --require-hashes -r tests/browser/requirements-browser.lock
	@if command -v npm > /dev/null; then npm ci --prefix tests/browser --silent --no-audit --no-fund; else echo "without npm there is no axe-core: its tests are skipped"; fi
	@$(PYTHON) kit.py test tests/browser
test-prose:     ## check the spelling of notebooks, pages and comments
	@$(PYTHON) kit.py setup
	@.venv/bin/python -m pip install --quiet --require-hashes -r tests/prose/requirements-prose.lock
	@$(PYTHON) kit.py test tests/prose
test-hub:       ## spawn the kit from a JupyterHub of its own
	@$(PYTHON) kit.py setup
	@.venv/bin/python -m pip install --quiet --require-hashes -r requirements-hub.lock -r tests/hub/requirements-hub-test.lock
	@$(PYTHON) kit.py test tests/hub
test-jax:       ## the model code on JAX
	@$(PYTHON) kit.py setup
	@.venv/bin/python -m pip install --quiet --require-hashes -r requirements-jax.lock
	@$(PYTHON) kit.py test tests/test_backends.py
test-oldest:    ## the oldest packages that requirements.in allows, on Python 3.11
	@$(PYTHON) -m venv build/oldest
	@build/oldest/bin/python -m pip install --quiet --require-hashes -r requirements-oldest.lock
	@PYTHONPATH=. build/oldest/bin/python -m pytest -n 2 --dist loadfile
doctor:         ## look what is missing, and say what to do
	@$(PYTHON) kit.py doctor
student:        ## write build/student.zip, without the answers
	@$(PYTHON) kit.py student
grade:          ## grade a folder of notebooks: make grade TASK=RegionDetector SUBMISSIONS=folder
	@$(PYTHON) kit.py grade --task "$(TASK)" --submissions "$(SUBMISSIONS)"
fddb:           ## ten times: train on nine folds of FDDB, find the faces of the tenth; FOLDS=1 does one, NETWORK=one-pass the carried one; goes on where it stopped
	@$(PYTHON) kit.py fddb --folds $(FOLDS) --network $(NETWORK)
detector:       ## train the detector that the kit carries: make detector TRAIN="--teacher YUNET.onnx --photos FOLDER"
	@$(PYTHON) kit.py detector --out build/faces.npz $(TRAIN)
lock:           ## write every lock anew from its table; for newer packages: make lock UV=".venv/bin/uv pip compile --upgrade"
	@$(PYTHON) kit.py setup
	$(UV) $(LOCK) --universal requirements.in -o requirements.lock
	set -e; for extra in $(EXTRAS); do $(UV) $(LOCK) --universal -c requirements.lock $$extra.in -o $$extra.lock; done
	set -e; for extra in jax gpu; do $(UV) $(LOCK) --python-platform linux -c requirements.lock requirements-$$extra.in -o requirements-$$extra.lock; done
	$(UV) $(LOCK) --universal -c requirements.lock -c requirements-hub.lock tests/hub/requirements-hub-test.in -o tests/hub/requirements-hub-test.lock
	$(UV) $(LOCK) --resolution lowest-direct --override requirements-oldest.in requirements.in -o requirements-oldest.lock
lint:           ## the rules of pyproject.toml, and that notebooks are committed without what they printed
	@$(PYTHON) kit.py lint
	@$(PYTHON) kit.py test -q tests/test_rooms.py tests/notebooks/test_reading.py
wheelhouse:     ## download the packages, for a machine without a network: there, WHEELHOUSE=wheelhouse make run
	@$(PYTHON) kit.py wheelhouse wheelhouse
clean:          ## remove what was built; data and .venv stay
	rm -rf build

# Development and tests of the collection. `make help` lists the targets.
# They work in a checkout of any name and need Python 3.11 or later; on Debian, root installs what else is missing.

PYTHON ?= python3
PORT ?= 8080
EXAMPLES ?= 2000
VENV := $(CURDIR)/.venv
BIN := $(VENV)/bin
COLLECTIONS := $(VENV)/collections
LINK := $(COLLECTIONS)/ansible_collections/mailops/ovh_iplb
REQUIREMENTS := requirements.txt test-requirements.txt

# A changed requirement, another interpreter or a moved checkout gives another stamp, and so a new environment.
KEY := $(shell ($(PYTHON) -VV; echo $(CURDIR); cat $(REQUIREMENTS)) | sha256sum | cut -c1-16)
READY := $(VENV)/ready-$(KEY)
TOOLS := PYTHONPATH=tests $(BIN)/python -m tools

export PATH := $(BIN):$(PATH)
export ANSIBLE_COLLECTIONS_PATH := $(COLLECTIONS)
export PIP_QUIET := 1

STAGES := lint sanity unit integration
# For two minutes on two cores: what starts daemons and browsers, and what other stages would find too, is left out.
ifdef FAST
PYTEST_FLAGS := -m 'not slow'
SANITY_FLAGS := --skip-test pylint
TARGETS := farm frontend load_balancer refresh server
endif
API_TARGETS := api_errors certificate drift farm frontend inventory_iplb load_balancer load_balancer_info refresh route server \
  service vrack_network
# The lab's hosts are Debian 12, and Debian 11 and 13 where it is about what Postfix and nftables do.
# Roll-outs under load are lab-long's on those.
RELEASES := bullseye trixie
SAFETY := tests/lab/test_attacks.py tests/lab/test_failures.py
# Built before two tests want it at once, in a lab of its own: another may be up.
LAB_IMAGE := (export MAILOPS_LAB=img && tests/lab/lab up && tests/lab/lab down)
LAB_PYTEST := $(BIN)/pytest -rs --durations=10 -n 2 --dist loadfile -m 'not long'

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 15

.PHONY: demo
demo: dev packages ## Show the whole story in a lab on this machine (as root; KEEP=1 leaves the lab up)
	@PYTHONPATH=tests $(BIN)/python -m lab.demo

.PHONY: test
test: dev packages ## Run all tests: the fast ones, AWX and ansible-runner, and end to end in the lab
	@$(TOOLS).stages --beside lab-images $(STAGES) versions automation lab-test

.PHONY: test-fast
test-fast: dev packages ## Run lint, sanity, unit and integration tests without their slow parts, in parallel
	@FAST=1 $(TOOLS).stages --parallel $(STAGES)
	@echo "Left to make test: pylint, unit tests marked slow, the other integration targets and versions, AWX, the lab"

.PHONY: dev
dev: $(READY) ## Prepare .venv: ansible-core, dependencies, developer tools, this checkout as the collection

$(READY):
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || tests/tools/apt-install python3-venv >&2
	$(PYTHON) -m venv --clear $(VENV) >&2
	$(BIN)/pip install --upgrade pip >&2
	$(BIN)/pip install $(addprefix -r ,$(REQUIREMENTS)) >&2
	@mkdir -p $(dir $(LINK))
	@ln -sfn $(CURDIR) $(LINK)
	@touch $@

.PHONY: packages
packages: dev # Install what bindep.txt lists for the tests and this machine lacks
	@tests/tools/apt-install $$($(BIN)/bindep --brief --file bindep.txt test)

.PHONY: env
env: dev ## Print what a shell needs to use .venv from any folder: eval "$(make -s env)"
	@echo 'export PATH="$(BIN):$$PATH"'
	@echo 'export ANSIBLE_COLLECTIONS_PATH="$(COLLECTIONS)"'
	@echo 'export PYTHONPATH="$(COLLECTIONS)"'

.PHONY: simulator
simulator: dev ## Serve a local /ipLoadbalancing API on PORT (8080) and print how to reach it
	@PYTHONPATH=tests exec $(BIN)/python -m simulator --port $(PORT)

.PHONY: lint
lint: dev ## Check style, types, documentation, the changelog and the collection's own rules
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check --quiet .
	MYPYPATH=$(COLLECTIONS):tests $(BIN)/mypy
	$(BIN)/ansible-lint -q --nocolor
	$(BIN)/antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs self .
	$(BIN)/antsibull-changelog lint
	$(TOOLS).check_collection

.PHONY: sanity
sanity: dev ## Run ansible-test sanity
	$(TOOLS).run_ansible_test sanity --local $(SANITY_FLAGS)

.PHONY: unit
unit: dev ## Run the unit tests
	$(BIN)/pytest -rs -n auto $(PYTEST_FLAGS) tests/unit

.PHONY: fuzz
fuzz: dev ## Try EXAMPLES (2000) random changes of random Postfix files on a real postconf (as root)
	MAILOPS_FUZZ_EXAMPLES=$(EXAMPLES) $(BIN)/pytest -rs -s tests/unit/plugins/module_utils/postfix/test_postfix_properties.py

.PHONY: faults
faults: dev ## Cross every API call of a converge with every fault, kill runs, run two at once, fuzz answers
	$(BIN)/pytest -rs -n auto tests/faults

.PHONY: switches
switches: dev ## Run the API's integration targets under every setting of every switch of the simulator
	@for mixture in 1 2 3 4 5 6; do \
	  $(TOOLS).run_integration --mixture $$mixture --switch bulk_cut=1 $(API_TARGETS) || exit 1; \
	done

.PHONY: bench
bench: dev ## Measure what runs cost beside others, in docs/performance.md (QUICK=1: small services only)
	@PYTHONPATH=tests $(BIN)/python -m benchmarks.costs $(if $(QUICK),--quick)

.PHONY: integration
integration: dev ## Run the integration targets against the simulator
	$(TOOLS).run_integration $(TARGETS)

.PHONY: versions
versions: dev ## Run unit tests and the main integration targets on the oldest and the newest ansible-core
	$(TOOLS).run_versions --quick

.PHONY: test-versions
test-versions: dev packages ## Run sanity, unit and integration on each ansible-core (CORES) and Python there is
	$(TOOLS).run_versions --upgrade $(CORES)

.PHONY: automation
automation: dev ## Run the tests with AWX's API, ansible-runner, ansible-builder and ansible-rulebook
	$(BIN)/pytest -rs tests/awx tests/runner

.PHONY: lab-images
lab-images: dev # Build the hosts of lab-test, which takes a minute or two for each release
	@failed=0; for release in bookworm $(RELEASES); do \
	  export MAILOPS_LAB_RELEASE=$$release; $(LAB_IMAGE) || failed=1; \
	done; exit $$failed

.PHONY: lab-test
lab-test: dev ## Run the end-to-end tests in the lab (as root), those of safety on each of RELEASES too
	@failed=0; $(LAB_IMAGE) || failed=1; \
	$(LAB_PYTEST) tests/lab || failed=1; \
	for release in $(RELEASES); do \
	  echo "----- $$release"; export MAILOPS_LAB_RELEASE=$$release; \
	  $(LAB_IMAGE) || failed=1; \
	  $(LAB_PYTEST) $(SAFETY) || failed=1; \
	done; exit $$failed

.PHONY: lab-long
lab-long: dev packages ## Run the long end-to-end tests: every order of services, both connections, all ports on each of RELEASES
	@failed=0; $(LAB_IMAGE) || failed=1; \
	$(BIN)/pytest -rs --durations=10 -m long tests/lab || failed=1; \
	for release in $(RELEASES); do \
	  echo "----- $$release"; export MAILOPS_LAB_RELEASE=$$release; \
	  $(LAB_IMAGE) || failed=1; \
	  $(BIN)/pytest -rs --durations=10 tests/lab/test_services.py tests/lab/test_layouts.py || failed=1; \
	done; exit $$failed

.PHONY: lab-newest
lab-newest: dev packages ## Run the guide and all playbooks over both connections on the newest ansible-core (as root)
	@MAILOPS_LAB_ANSIBLE=$$($(TOOLS).environments) && export MAILOPS_LAB_ANSIBLE && \
	$(BIN)/pytest -rs tests/lab/test_guide.py tests/lab/test_paramiko.py

.PHONY: build
build: dev ## Build the collection's artifact in build/
	$(TOOLS).build

.PHONY: clean
clean: ## Remove the environment, caches and build results
	rm -rf .venv .ansible .hypothesis .mypy_cache .pytest_cache .ruff_cache build tests/output
	find . -name __pycache__ -prune -exec rm -rf {} +

PYTHON ?= python3
VENV := $(CURDIR)/.venv
BIN := $(VENV)/bin
LINK := $(VENV)/collections/ansible_collections/mailops/ovh_iplb
REQUIREMENTS := requirements.txt test-requirements.txt

# A changed requirement, another interpreter or a moved checkout gives another stamp, and so a new environment.
KEY := $(shell ($(PYTHON) -VV; echo $(CURDIR); cat $(REQUIREMENTS)) | sha256sum | cut -c1-16)
READY := $(VENV)/ready-$(KEY)

.PHONY: dev
dev: $(READY) ## Prepare .venv: ansible-core, dependencies, developer tools, the checkout as the collection

$(READY):
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet $(addprefix -r ,$(REQUIREMENTS))
	mkdir -p $(dir $(LINK))
	ln -sfn $(CURDIR) $(LINK)
	echo $(VENV)/collections > $$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/mailops_ovh_iplb.pth
	touch $@

# `make help` lists the targets. CI runs `lint`, the parts of `test` and `demo`; a missing tool fails its target.

SHELL := /bin/bash -o pipefail
CACHE := $(or $(CMWC_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/cert-manager-webhook-cloudflare)
TARGET := $(or $(CARGO_TARGET_DIR),target)
ROOTFS := $(TARGET)/image/rootfs
CARGO_DENY_VERSION := 0.20.2
CARGO_DENY := $(CACHE)/cargo-deny-$(CARGO_DENY_VERSION)/bin/cargo-deny

.PHONY: help build lint fmt clippy docs deny advisories test unit simulate fuzz conformance chart-test chart-docs change hostile soak demo \
  kills rootfs image bench bench-crowd bench-share bench-burst

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build the program and the emulator for release
	cargo build --locked --release --workspace --exclude fuzz --exclude simulation --bins

lint: fmt clippy docs deny ## Everything that reads the code without running it

fmt: ## Check the format
	cargo fmt --all -- --check

clippy: ## Lint, warnings denied
	cargo clippy --locked --workspace --all-targets -- -D warnings

docs: ## Build the documentation, warnings denied
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --quiet

deny: $(CARGO_DENY) ## Licences, duplicate versions, banned crates, sources
	$(CARGO_DENY) --locked --workspace check licenses bans sources

advisories: $(CARGO_DENY) ## Known vulnerabilities; fetches a database, so not part of CI
	$(CARGO_DENY) --locked --workspace check advisories

$(CARGO_DENY):
	cargo install cargo-deny --locked --version $(CARGO_DENY_VERSION) --root $(CACHE)/cargo-deny-$(CARGO_DENY_VERSION)

test: unit simulate fuzz conformance hostile soak image ## Everything: Rust tests, simulation, fuzz targets, the real stack, attacks at full size, minutes of certificates, the image

unit: ## Rust tests of the program and of the emulator
	cargo test --locked --workspace --exclude fuzz

simulate: ## Play SEEDS schedules (10,000) from seed FROM (0), and PRESENTS (500) against each settle time; SEED=… explains one
	cargo build --locked --release -p simulation
	$(TARGET)/release/simulate $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),10000) --from $(or $(FROM),0))
	$(TARGET)/release/simulate --settle $(or $(PRESENTS),500)

conformance: build ## cert-manager's conformance suite, comparison with the original, certificates through the real stack, change under load
	tests/conformance/run

chart-test: build ## What the Helm chart renders, refuses, grants and names; CMWC_ACCEPT=1 takes the renderings as they are
	tests/conformance/run chart

chart-docs: ## Write chart/README.md from the comments of its values
	stack=$$(tests/conformance/build) && $$stack/helm-docs --chart-search-root chart --log-level=warning \
	  --sort-values-order=file --template-files=README.md.gotmpl

change: build ## Count failed requests while certificates, instances and the API server change; writes docs/change.json
	CMWC_CHANGE_FIGURES=$(CURDIR)/docs/change.json tests/conformance/run change

rootfs: ## Lay out the content of the image: one static program, CA certificates, licences, bill of materials
	tests/image/rootfs $(ROOTFS)

image: rootfs build ## Hold the image's content to its promises, and pack it as an OCI archive, without a daemon
	tests/image/test $(ROOTFS)
	tests/image/pack $(ROOTFS) $(TARGET)/image/image.tar

fuzz: ## Every fuzz target for FUZZ_SECONDS (10), or for FUZZ_RUNS inputs
	tests/fuzz/run

demo: build ## Play a certificate's challenges against the emulator and show the timeline; KEEP=1 leaves it running
	$(TARGET)/release/demo

soak: build ## Issue certificates for MINUTES (3), faults and rotation on; memory, descriptors and tasks must not grow
	$(TARGET)/release/soak --minutes $(or $(MINUTES),3)

# Ten thousand connections are as many file descriptors, in the attackers' process; the program raises its own limit.
hostile: build ## Attack the program at full size; it has to serve others meanwhile, and to stay small
	ulimit -n $$(ulimit -Hn) && $(TARGET)/release/hostile

bench: build ## Measure calls, latency, memory and start, beside a webhook of cert-manager's own library
	stack=$$(tests/conformance/build) && CMWC_REFERENCE=$$stack/reference $(TARGET)/release/bench

bench-crowd: build ## Ten thousand challenges with and without sick zones, and one to a thousand names at once; about five minutes
	$(TARGET)/release/crowd

bench-share: build ## Two instances and a foreign client share an account's 1,200 calls; five minutes and more
	$(TARGET)/release/crowd --share

kills: build ## Kill the program at 200 random moments while the real stack issues 200 certificates; a quarter of an hour and more
	tests/conformance/run kills

bench-burst: build ## Apply 1 to 1,000 Certificates at once, beside cert-manager's built-in solver and a floor; over an hour; writes docs/burst.*
	CMWC_BURST_FIGURES=$(CURDIR)/docs/burst.json CMWC_BURST_PLOT=$(CURDIR)/docs/burst.svg tests/conformance/run burst

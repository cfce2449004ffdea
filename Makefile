# elicense: `make run` serves the demo, `make test` runs every check.
GO     ?= go
DATA   ?= var/demo
LISTEN ?= 127.0.0.1:8080
export CGO_ENABLED = 0

.PHONY: run reset build checker dist quick test fuzz

run: build ## serve the demo on http://localhost:8080
	@sh scripts/need.sh fonts || true
	bin/elicense serve --demo --data $(DATA) --listen $(LISTEN)

reset: ## forget the demo's data
	rm -rf $(DATA)

build: checker ## one binary without cgo
	$(GO) build -trimpath -o bin/elicense ./cmd/elicense

checker: ## package document for the browsers of the check page
	@sh scripts/checker.sh

dist: checker ## the same for the machines of halls and servers
	@for a in amd64 arm64 loong64; do \
	  echo "dist/elicense-linux-$$a"; \
	  GOOS=linux GOARCH=$$a $(GO) build -trimpath -ldflags=-s -o dist/elicense-linux-$$a ./cmd/elicense || exit 1; \
	done

fuzz: ## every fuzz target for FUZZTIME (30s)
	sh scripts/fuzz.sh

quick: ## what a developer runs at every step: under a minute
	sh scripts/test.sh quick

test: ## everything; installs what it needs
	sh scripts/test.sh all

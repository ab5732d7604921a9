# Six commands; `make` alone shows them.
.DEFAULT_GOAL := help
.PHONY: help install run test check web docs

help: ## Show this list.
	@grep -E '^[a-z]+: ' $(MAKEFILE_LIST) | sed 's/: ##/ -/'

install: ## Install what developing needs.
	pip install -r requirements-dev.txt

run: ## Start the studio.
	python app.py

test: ## Run all tests.
	pytest

check: ## Lint, format check, layers, types.
	ruff check . && ruff format --check . && lint-imports && mypy

web: ## Check and test the page's modules; needs Node and its tsc (npm install -g typescript).
	tsc -p tests/web && node --test tests/web/*.test.js tests/web/*/*.test.js

docs: ## Write the generated reference of settings again.
	python -m studio.config.settings_reference > docs/settings.md

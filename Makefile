# For who likes make: the same as the scripts.
.PHONY: build demo test install
PREFIX ?= /usr/local

build:
	tools/setup.sh && tools/build.sh release
demo:
	./demo.sh
test:
	./test.sh
install: build
	cmake --install build --prefix $(PREFIX)

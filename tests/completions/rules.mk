# make completions: writes them anew from the tools' --help.
completions: all
	$(call say,GEN,completions)
	$(Q)/usr/bin/python3 tests/completions/generate.py $(ZP_BUILD) $(ZP_ROOT)

.PHONY: completions

# Pictures of the README, in man/pictures.
#
#	make pictures	a recording of make demo, and what make bench measured
#	make figures	the latter alone: the plot, and README's table
#
# Both take their figures from the last make bench; without one they run it.

PICTURES := man/pictures

pictures: demo.svg figures

demo.svg: deps-build
	$(Q)$(MAKE) --no-print-directory all
	$(call say,RECORD,$(PICTURES)/demo.svg)
	$(Q)MAKEFLAGS= tests/pictures/record.py $(PICTURES)/demo.svg \
		'make demo' $(MAKE) -s demo-run MODE=$(MODE)

figures: $(B)/bench.tsv
	$(call say,PLOT,$(PICTURES)/bench.svg README.md)
	$(Q)tests/pictures/figures.py $(B)/bench.tsv $(PICTURES)/bench.svg \
		README.md

$(B)/bench.tsv:
	$(Q)$(MAKE) --no-print-directory bench

.PHONY: pictures demo.svg figures

# What goes to other machines: static tools, the sources, Debian packages.

# ---- make static: the keyed tools, in need of nothing ------------------

STATIC := $(KEYED:%=$(B)/static/%)
STATIC_LIBS := $(or $(call pkg,--static --libs-only-L,libsodium),) \
	-l:libsodium.a

static: $(STATIC)

$(STATIC): $(B)/static/%: $(B)/cmd/%.o $(LIBZPINC)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC_MODE) -o $@ $< $(LIBZPINC) -static-pie \
		$(filter-out -pie,$(ALL_LDFLAGS)) $(STATIC_LIBS) $(LIBS)

# ---- make dist: the sources of the last commit -------------------------

# Owners are root and times are the commit's, so equal commits make equal
# bytes, whoever packs them and when.
DIST := build/zpinc-$(VERSION).tar.gz

dist:
	$(call say,DIST,$(DIST))
	@mkdir -p $(dir $(DIST))
	$(Q)git rev-parse --verify -q HEAD >/dev/null || \
		{ echo 'dist: only from a git repository' >&2; exit 1; }
	$(Q)git diff-index --quiet HEAD -- || \
		echo 'dist: changes that are not committed are left out' >&2
	$(Q)git -c tar.umask=0022 archive --format=tar \
		--prefix=zpinc-$(VERSION)/ -o $(DIST:.gz=) HEAD
	$(Q)gzip -9nf $(DIST:.gz=)

# ---- make deb: three packages in build/deb -----------------------------

DEB := build/deb
# Packages are made in a test, too.
CHECK_DEBS += dpkg-dev

deb: deps-build
	$(Q)sh tests/deps.sh dpkg-dev
	$(Q)$(MAKE) --no-print-directory deb-run

deb-run: all
	$(call say,DEB,$(DEB))
	$(Q)B=$(B) VERSION=$(VERSION) KEYED='$(KEYED)' TOOLS='$(TOOLS)' \
		MAKE='$(MAKE)' sh packaging/debian/build.sh $(DEB)

# Installed where nothing else is; root alone can.
check-deb: deb
	$(Q)sh tests/deps.sh debootstrap
	$(Q)sh tests/packaging/clean.sh $(DEB)

.PHONY: static dist deb deb-run check-deb

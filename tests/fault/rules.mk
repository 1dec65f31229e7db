# Faults: tools linked so that every call that can fail fails on demand
# (fault.c), and killed at every system call (crash.c).

FAULT := $(B)/tests/fault
FAULT_TOOLS := $(filter zpinc-key zpinc-seal zpinc-open zpinc-file,$(TOOLS))
FAULT_BIN := $(FAULT_TOOLS:%=$(FAULT)/%)
FAULT_WRAP := malloc calloc realloc strdup strndup sodium_malloc read \
	__read_chk pread __pread_chk write writev open openat fsync fdatasync \
	ftruncate rename link unlink mkdir mkstemp fchmod flock fstat stat \
	lstat fstatat opendir fdopendir inotify_init1 inotify_add_watch fork \
	pipe pipe2 getentropy poll

$(FAULT_BIN): $(FAULT)/%: $(B)/cmd/%.o $(FAULT)/fault.o $(LIBNET) $(LIBZPINC)
	$(call say,LD,$@)
	$(Q)$(CC_MODE) -o $@ $< $(FAULT)/fault.o $(FAULT_WRAP:%=-Wl,--wrap=%) \
		$(LIBNET) $(LIBZPINC) $(ALL_LDFLAGS) $(SODIUM_LIBS) $(LIBS)

$(FAULT)/crash: $(FAULT)/crash.o
	$(call say,LD,$@)
	$(Q)$(CC_MODE) -o $@ $< $(ALL_LDFLAGS)

CHECK_EXTRA += $(FAULT_BIN) $(FAULT)/crash
CHECK_PROGRAMS += tests/fault/test_faults.py tests/fault/test_crash.py \
	tests/fault/test_full.py
CHECK_ALL += faults-all

# Every call, not some of them.
faults-all: check-build
	$(Q)STEP=1 prove tests/fault/test_faults.py tests/fault/test_crash.py

.PHONY: faults-all

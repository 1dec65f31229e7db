# Constant time: secrets marked, and run by valgrind.  See ct.c.

VERIFY_DEBS := valgrind
CHECK_DEBS += $(VERIFY_DEBS)
CT := $(B)/tests/ct/ct
CT_OBJ := $(B)/tests/ct/ct.o $(B)/tests/ct/public.o
CT_WRAP := sodium_memcmp crypto_verify_32 sodium_is_zero sodium_base642bin \
	crypto_scalarmult_ristretto255 crypto_core_ristretto255_add \
	crypto_secretbox_open_detached crypto_secretbox_open_easy \
	zp_record_topic zp_b64_write zp_text_is_padded_name

$(CT): $(CT_OBJ) $(LIBZPINC)
	$(call say,LD,$@)
	$(Q)$(CC_MODE) -o $@ $(CT_OBJ) $(CT_WRAP:%=-Wl,--wrap=%) $(LIBZPINC) \
		$(ALL_LDFLAGS) $(SODIUM_LIBS) $(LIBS)

CHECK_PROGRAMS += $(CT)

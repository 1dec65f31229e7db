# Reads C files of the tree (paths relative to its top) and prints each
# #include that its layer must not have.  The order of layers:
#
#	base < wire < crypt < (proto, mles) < store < proc
#
# net sees base, wire, and the command line.  A tool sees keys or the
# network, never both.

BEGIN {
	sees["base"] = "base"
	sees["wire"] = "base wire"
	sees["crypt"] = "base wire crypt"
	sees["proto"] = "base wire crypt proto"
	sees["mles"] = "base wire crypt mles"
	sees["store"] = "base wire crypt proto mles store"
	sees["proc"] = "base wire crypt proto mles store proc"
	sees["lib"] = sees["proc"]
	sees["net"] = "base wire net"
	sees["transport"] = "base wire net"
	sees["keyed"] = sees["proc"]

	# They need no libsodium, as their headers promise.
	alone["proc/zp_opt.h"] = 1
	alone["proc/zp_url.h"] = 1

	# The library's own header, which others include without a folder.
	public["zpinc.h"] = 1

	# Libraries, by who may use them.
	library["sodium.h"] = "crypt proto mles store proc lib keyed"
	library["curl/curl.h"] = "transport"
	library["mosquitto.h"] = "transport"
	library["hiredis/hiredis.h"] = "transport net"
	library["libwebsockets.h"] = "transport net"
	library["cbor.h"] = "transport net"
	library["cjson/cJSON.h"] = "transport net"
}

function has(list, word) {
	return index(" " list " ", " " word " ") > 0
}

function complain(what) {
	printf "%s:%d: %s includes %s\n", FILENAME, FNR, layer, what
}

FNR == 1 {
	split(FILENAME, dir, "/")
	layer = dir[2] ~ /\./ ? "lib" : dir[2]
	if (dir[1] == "cmd")
		layer = system("grep -q '#include \"net/' " FILENAME) == 0 ? \
		    "transport" : "keyed"
	if (!(layer in sees))
		printf "%s: in no layer\n", FILENAME
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
	split($0, part, "\"")
	slash = index(part[2], "/")
	if (layer == "lib" && part[2] in public)
		next
	if (slash == 0) {
		complain(part[2] ", without its layer")
		next
	}
	if (has(sees[layer], substr(part[2], 1, slash - 1)))
		next
	if (!((layer == "net" || layer == "transport") && part[2] in alone))
		complain(part[2])
}

/^[ \t]*#[ \t]*include[ \t]*</ {
	split($0, part, "[<>]")
	if (part[2] in library && !has(library[part[2]], layer))
		complain(part[2])
}

# shellcheck shell=bash
# A certificate authority for a test, and what it signs.

# tls_make DIR: ca.pem, another's other.pem, and NAME.pem with NAME.key of a
# server at 127.0.0.1 (server), of one elsewhere (wrong), of a client.
tls_make() {
	local name san
	mkdir -p "$1"
	for name in ca other; do
		tls_run req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 \
			-nodes -days 2 -subj "/CN=$name of a test" \
			-keyout "$1/$name.key" -out "$1/$name.pem"
	done
	for name in server wrong client; do
		san=IP:127.0.0.1,DNS:localhost
		[ "$name" = server ] || san=DNS:$name.example
		tls_run req -newkey ec -pkeyopt ec_paramgen_curve:P-256 \
			-nodes -subj "/CN=$name" -keyout "$1/$name.key" \
			-out "$1/$name.csr"
		tls_run x509 -req -in "$1/$name.csr" -CA "$1/ca.pem" \
			-CAkey "$1/ca.key" -CAcreateserial -days 2 \
			-out "$1/$name.pem" \
			-extfile <(echo "subjectAltName=$san")
	done
}

tls_run() {
	openssl "$@" > openssl.log 2>&1 || {
		cat openssl.log
		return 1
	}
}

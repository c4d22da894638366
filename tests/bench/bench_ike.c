// SPDX-License-Identifier: Apache-2.0
/*
 * What the IKEv2 engine costs, both ends in one process, in time of one core (not of the clock on the wall: others may use the
 * machine): a complete IKE_SA with its Child SA, beside exactly the cryptographic operations that it consists of; the same
 * with 10 to 100,000 SAs established; memory of one; the answer of a cookie to a stranger.
 * Writes $HF_BUILD/bench/ike.json; tests/bench/run prints the table.
 */
#include <openssl/evp.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/nstime.h"
#include "ike/cookie.h"
#include "ike/proposal.h"
#include "ike/wire.h"
#include "ike_pair.h"

#define ROUNDS 15
#define BATCH 100 /* set-ups or sets of primitives timed at once */
#define REQUESTS 2000
#define SIZES 5

static const uint32_t sizes[SIZES] = { 10, 100, 1000, 10000, 100000 };

static void die(const char *what)
{
	fprintf(stderr, "bench_ike: %s\n", what);
	exit(1);
}

static void demand(int rc)
{
	if (rc)
		die("a primitive failed");
}

static double cpu_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), by_value);
	return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* ---- the primitives of one set-up, both ends ---- */

struct primitives {
	const struct kex *kex;
	const struct prf *prf;
	const struct cipher *cipher;
	struct sign_key *key;
	struct kex_private private[2];
	uint8_t message[PAIR_DATAGRAM], sealed[2][PAIR_DATAGRAM]; /* a real set-up's lengths */
	size_t message_len, sealed_len[2];
	EVP_PKEY *mine, *theirs, *signer; /* for EVP alone */
};

/* HMAC or prf+ over a nonce pair, an identity, SPIs: none is longer than two blocks. */
static void keyed(const struct primitives *p, size_t out_len)
{
	const struct view parts[] = { view_of(p->message, 32), view_of(p->message, 32), view_of(p->message, 16) };
	uint8_t out[256];

	demand(out_len ? prf_plus(p->prf, out, out_len, view_of(p->message, 32), parts, 3)
		       : prf_of(p->prf, out, view_of(p->message, 64), parts, 2));
}

static void bare_kex(const struct primitives *p)
{
	uint8_t value[2][32], shared[2][32];

	for (int i = 0; i < 2; i++)
		demand(kex_start(p->kex, value[i], &p->private[i]));
	for (int i = 0; i < 2; i++)
		demand(kex_finish(p->kex, shared[i], VIEW_OF(value[!i]), &p->private[i]));
	demand(memcmp(shared[0], shared[1], 32));
}

static void bare_auth(const struct primitives *p)
{
	const struct view octets[] = { view_of(p->message, p->message_len), view_of(p->message, 32),
				       view_of(p->message, 32) };
	uint8_t auth[SIGN_AUTH_MAX];
	size_t len;

	for (int i = 0; i < 2; i++) {
		len = sizeof(auth);
		demand(sign_auth(auth, &len, p->key, SIGN_HASHES, octets, 3));
		demand(sign_verify(sign_key_spki(p->key), SIGN_HASHES, view_of(auth, len), octets, 3));
	}
}

static void bare_seal(struct primitives *p)
{
	const struct view key = view_of(p->message, p->cipher->key_len), aad = view_of(p->message, 32);
	uint8_t icv[16], out[PAIR_DATAGRAM];

	for (int i = 0; i < 2; i++) {
		demand(cipher_seal(p->cipher, icv, p->sealed[i], p->sealed_len[i], key, VIEW_NONE, p->message, aad));
		demand(cipher_open(p->cipher, out, view_of(p->sealed[i], p->sealed_len[i]), key, VIEW_NONE, p->message,
				   icv, aad));
	}
}

static void bare_setup(struct primitives *p)
{
	const struct view natd[] = { view_of(p->message, 16), view_of(p->message, 4), view_of(p->message, 2) };
	const struct view spki = sign_key_spki(p->key);
	uint8_t hash[32];

	bare_kex(p);
	for (int i = 0; i < 2; i++) {
		keyed(p, 0);		   /* SKEYSEED */
		keyed(p, 3 * 32 + 2 * 36); /* SK_d, SK_ei, SK_er, SK_pi, SK_pr */
		keyed(p, 2 * 36);	   /* KEYMAT */
		keyed(p, 0);		   /* prf(SK_p, ID), ours */
		keyed(p, 0);		   /* ... and the peer's */
		keyed(p, 0);		   /* crash token */
		for (int n = 0; n < 4; n++)
			demand(hash_sha1(hash, natd, 3));
		demand(hash_sha256(hash, &spki, 1));	/* name of the peer's key */
		demand(hash_sha256(hash, &natd[0], 1)); /* of its crash token */
	}
	bare_auth(p);
	bare_seal(p);
}

/* Public-key operations alone, by OpenSSL's own functions on keys that are made already: nothing can be cheaper. */
static void evp_setup(const struct primitives *p)
{
	uint8_t out[64];
	size_t len;

	for (int i = 0; i < 2; i++) {
		EVP_PKEY *fresh = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, p->message, 32);
		EVP_PKEY_CTX *derive = EVP_PKEY_CTX_new(p->mine, NULL);
		EVP_MD_CTX *sign = EVP_MD_CTX_new(), *verify = EVP_MD_CTX_new();

		len = 32;
		if (!fresh || EVP_PKEY_derive_init(derive) != 1 ||
		    EVP_PKEY_derive_set_peer_ex(derive, p->theirs, 0) != 1 || EVP_PKEY_derive(derive, out, &len) != 1)
			die("X25519");
		len = sizeof(out);
		if (EVP_DigestSignInit(sign, NULL, NULL, NULL, p->signer) != 1 ||
		    EVP_DigestSign(sign, out, &len, p->message, p->message_len + 64) != 1 ||
		    EVP_DigestVerifyInit(verify, NULL, NULL, NULL, p->signer) != 1 ||
		    EVP_DigestVerify(verify, out, len, p->message, p->message_len + 64) != 1)
			die("Ed25519");
		EVP_PKEY_free(fresh);
		EVP_PKEY_CTX_free(derive);
		EVP_MD_CTX_free(sign);
		EVP_MD_CTX_free(verify);
	}
}

static void primitives_init(struct primitives *p, const struct pair *pair)
{
	static const uint8_t zero[32] = { 9 };

	memset(p, 0, sizeof(*p));
	p->kex = kex_find(KE_X25519);
	p->prf = prf_find(PRF_HMAC_SHA2_256);
	p->cipher = cipher_find(ENCR_AES_GCM_16, 256, INTEG_NONE);
	p->key = pair->end[0].key;
	memset(&p->private[0], 0x31, sizeof(p->private[0]));
	memset(&p->private[1], 0x32, sizeof(p->private[1]));
	p->message_len = pair->seen[0].len;
	memcpy(p->message, pair->seen[0].octets, p->message_len);
	for (int i = 0; i < 2; i++)
		p->sealed_len[i] = pair->seen[2 + i].len - 28 - 4 - 8 - 16;
	p->mine = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, p->private[0].random, 32);
	p->theirs = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, zero, 32);
	p->signer = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, p->private[1].random, 32);
	if (!p->kex || !p->prf || !p->cipher || pair->seen_count != 4 || !p->mine || !p->theirs || !p->signer)
		die("no primitives");
}

static void primitives_clear(struct primitives *p)
{
	EVP_PKEY_free(p->mine);
	EVP_PKEY_free(p->theirs);
	EVP_PKEY_free(p->signer);
}

/* ---- a set-up beside its primitives ---- */

static double setups_us(struct pair *pair, uint32_t first, uint32_t count)
{
	double start = cpu_us(), spent;

	for (uint32_t i = 0; i < count; i++) {
		pair_setup(pair, first + i);
		/* Giving SAs back is not what is measured, but the level must stay. */
		spent = cpu_us();
		pair_forget(pair);
		start += cpu_us() - spent;
	}
	return (cpu_us() - start) / count;
}

static double bare_us(struct primitives *p, void (*set)(struct primitives *p), uint32_t count)
{
	double start = cpu_us();

	for (uint32_t i = 0; i < count; i++)
		set(p);
	return (cpu_us() - start) / count;
}

static void evp_set(struct primitives *p)
{
	evp_setup(p);
}

static json_t *measure_setup(void)
{
	double setup[ROUNDS], bare[ROUNDS], evp[ROUNDS], overhead[ROUNDS], over_evp[ROUNDS], us;
	static struct primitives primitives;
	static struct pair pair;

	pair_start(&pair, 64, 0);
	setups_us(&pair, 0, BATCH);
	primitives_init(&primitives, &pair);
	for (int i = 0; i < ROUNDS; i++) {
		setup[i] = setups_us(&pair, 0, BATCH);
		bare[i] = bare_us(&primitives, bare_setup, BATCH);
		evp[i] = bare_us(&primitives, evp_set, BATCH);
		overhead[i] = 100 * (setup[i] / bare[i] - 1);
		over_evp[i] = 100 * (setup[i] / evp[i] - 1);
	}
	primitives_clear(&primitives);
	pair_end(&pair);
	us = median(setup, ROUNDS);
	return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f}", "per_second", 1e6 / us, "us", us, "primitives_us",
			 median(bare, ROUNDS), "public_key_us", median(evp, ROUNDS), "overhead_percent",
			 median(overhead, ROUNDS), "over_public_key_percent", median(over_evp, ROUNDS));
}

/* ---- many SAs ---- */

/* A key exchange that costs nothing, so that 100,000 SAs are there soon. The measured ones use the real one. */
static int quick_start(const struct kex *kex, uint8_t *value, const struct kex_private *mine)
{
	memcpy(value, mine->random, kex->start_len);
	return 0;
}

static int quick_finish(const struct kex *kex, uint8_t *shared, struct view theirs, const struct kex_private *mine)
{
	for (size_t i = 0; i < kex->shared_len; i++)
		shared[i] = theirs.at[i] ^ mine->random[i];
	return 0;
}

static const struct kex_impl quick_impl = { .start = quick_start, .finish = quick_finish };
static const struct kex quick = { KE_X25519, "nothing", 32, 32, 32, 32, 1, false, &quick_impl };

static void fill(struct pair *pair, uint32_t count)
{
	kex_stand_in(&quick);
	pair_by_psk(pair, true);
	for (uint32_t i = 0; i < count; i++)
		pair_setup(pair, i);
	kex_stand_in(NULL);
	pair_by_psk(pair, false);
}

/* Octets that one more SA takes: what ike_memory asks for it, and what of that one established SA really uses. */
static json_t *measure_memory(struct pair *pair, uint32_t sas)
{
	struct ike_options more = pair->options;
	struct ike_counts counts;
	double reserved, blocks;

	more.sas_max = 400000;
	reserved = (double)ike_memory(&more);
	more.sas_max = 200000;
	reserved = (reserved - (double)ike_memory(&more)) / 200000;
	ike_count(pair->end[0].ike, &counts);
	blocks = (double)counts.blocks / sas;
	ike_count(pair->end[1].ike, &counts);
	if (counts.established != sas || counts.children != sas || counts.half_open)
		die("not as many SAs as there should be");
	return json_pack("{s:f, s:f, s:f}", "reserved_octets", reserved, "message_octets_initiator", 256 * blocks,
			 "message_octets_responder", 256 * (double)counts.blocks / sas);
}

/* Rounds go from size to size, so that whatever else happens on the machine happens to all. */
static void measure_sizes(json_t *root)
{
	double samples[SIZES][ROUNDS], us[SIZES], worst = 0, best = 1e9;
	static struct pair pairs[SIZES];
	json_t *rates = json_object();
	char key[16];

	for (size_t s = 0; s < SIZES; s++) {
		pair_start(&pairs[s], sizes[s] + 64, 0);
		fill(&pairs[s], sizes[s]);
		setups_us(&pairs[s], sizes[s], BATCH);
	}
	json_object_set_new(root, "memory", measure_memory(&pairs[SIZES - 1], sizes[SIZES - 1]));
	for (size_t r = 0; r < ROUNDS; r++)
		for (size_t s = 0; s < SIZES; s++)
			samples[s][r] = setups_us(&pairs[s], sizes[s], BATCH);
	for (size_t s = 0; s < SIZES; s++) {
		us[s] = median(samples[s], ROUNDS);
		worst = us[s] > worst ? us[s] : worst;
		best = us[s] < best ? us[s] : best;
		snprintf(key, sizeof(key), "%u", sizes[s]);
		json_object_set_new(rates, key, json_real(1e6 / us[s]));
		pair_end(&pairs[s]);
	}
	json_object_set_new(root, "per_second_with", rates);
	json_object_set_new(root, "slowest_to_fastest", json_real(worst / best));
}

/* ---- strangers ---- */

static double cookies_us(struct pair *pair, const struct pair_datagram *requests)
{
	double start = cpu_us();
	struct ike_output out;
	unsigned int answers = 0;

	for (int i = 0; i < REQUESTS; i++) {
		const struct pair_datagram *request = &requests[i];

		ike_datagram(pair->end[1].ike, &request->path, view_of(request->octets, request->len), pair->now);
		while (ike_next(pair->end[1].ike, &out))
			answers += out.type == IKE_SEND && out.datagram.len < request->len;
	}
	if (answers != REQUESTS)
		die("a stranger got no cookie");
	return (cpu_us() - start) / REQUESTS;
}

static double measure_cookie(void)
{
	static struct pair_datagram requests[REQUESTS];
	static struct pair pair;
	struct ike_counts counts;
	double samples[ROUNDS];

	pair_start(&pair, 64, 1);
	for (uint32_t i = 0; i < REQUESTS; i++)
		pair_request(&pair, i, &requests[i]);
	cookies_us(&pair, requests);
	for (int i = 0; i < ROUNDS; i++)
		samples[i] = cookies_us(&pair, requests);
	ike_count(pair.end[1].ike, &counts);
	if (counts.sas || counts.blocks || counts.cookies_sent != (ROUNDS + 1) * REQUESTS)
		die("a stranger left something behind");
	pair_end(&pair);
	return median(samples, ROUNDS);
}

static int write_json(json_t *root)
{
	const char *build = getenv("HF_BUILD") ? getenv("HF_BUILD") : "build";
	char path[4096];

	snprintf(path, sizeof(path), "%s/bench", build);
	mkdir(path, 0777);
	snprintf(path, sizeof(path), "%s/bench/ike.json", build);
	if (json_dump_file(root, path, JSON_INDENT(2))) {
		fprintf(stderr, "bench_ike: %s cannot be written\n", path);
		return 1;
	}
	return 0;
}

int main(void)
{
	json_t *root = json_object();
	int rc;

	json_object_set_new(root, "setup", measure_setup());
	json_object_set_new(root, "cookie_us", json_real(measure_cookie()));
	measure_sizes(root);
	rc = write_json(root);
	json_dumpf(root, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(root);
	return rc;
}

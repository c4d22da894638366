// SPDX-License-Identifier: Apache-2.0
/*
 * Known answers of every algorithm, computed once at the start with what this machine's library gives (CVE-2016-3071, CVE-2018-10811): a library that
 * has a name but computes something else, or refuses to, must be found before a peer does. What was not fetched is not tested. Numbers are from
 * RFC 4231, 7634 B, 8031 A, 5903 8.1 and 8.2, 4754 8.1 and 8.2, 8032 7.1, the GCM specification; those without a published source were made by an
 * independent program (tests/vectors/crypto.json says which).
 */
#include "crypto/internal.h"

#define OCTETS_MAX 1200

/* Hexadecimal digits to octets; our own constants, so nothing can be wrong with them. */
struct octets {
	size_t len;
	uint8_t at[OCTETS_MAX];
};

static unsigned int digit(char c)
{
	return (unsigned int)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static struct view decode(struct octets *octets, const char *hex)
{
	for (octets->len = 0; hex[0] && octets->len < OCTETS_MAX; hex += 2)
		octets->at[octets->len++] = (uint8_t)(digit(hex[0]) << 4 | digit(hex[1]));
	return view_of(octets->at, octets->len);
}

static int wrong(struct err *err, const char *name)
{
	return err_set(err, -EIO,
		       "OpenSSL on this machine computes %s wrongly or not at all; it cannot be trusted with keys",
		       name);
}

static int try_hashes(struct err *err)
{
	const struct view abc = view_of("abc", 3);
	struct octets expect;
	uint8_t out[SHA256_LEN];

	if (hash_sha1(out, &abc, 1) ||
	    !view_equal(view_of(out, SHA1_LEN), decode(&expect, "a9993e364706816aba3e25717850c26c9cd0d89d")))
		return wrong(err, "SHA-1");
	if (hash_sha256(out, &abc, 1) ||
	    !view_equal(view_of(out, SHA256_LEN),
			decode(&expect, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")))
		return wrong(err, "SHA2-256");
	return 0;
}

/* RFC 4231 4.3. */
static const struct {
	uint16_t id;
	const char *out;
} prf_answers[] = {
	{ 5, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
	{ 6, "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649" },
	{ 7, "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fd"
	     "caeab1a34d4a6b4b636e070a38bce737" },
};

static int try_prfs(struct err *err)
{
	const struct view data = view_of("what do ya want for nothing?", 28);

	for (size_t i = 0; i < sizeof(prf_answers) / sizeof(prf_answers[0]); i++) {
		const struct prf *prf = prf_find(prf_answers[i].id);
		uint8_t out[PRF_LEN_MAX], plus[PRF_LEN_MAX], first[PRF_LEN_MAX];
		const struct view seed[] = { data, view_of("\1", 1) };
		struct octets expect;

		if (!prf)
			continue;
		if (prf_of(prf, out, view_of("Jefe", 4), &data, 1) ||
		    !view_equal(view_of(out, prf->out_len), decode(&expect, prf_answers[i].out)))
			return wrong(err, prf->name);
		/* The other way through the library: the first block of prf+ is prf(K, S | 1). */
		if (prf_plus(prf, plus, prf->out_len, view_of("Jefe", 4), &data, 1) ||
		    prf_of(prf, first, view_of("Jefe", 4), seed, 2) || memcmp(plus, first, prf->out_len) != 0)
			return wrong(err, prf->name);
	}
	return 0;
}

static const struct cipher_answer {
	uint16_t encr, bits, integ;
	const char *key, *integ_key, *iv, *aad, *plain, *sealed, *icv;
} cipher_answers[] = {
	{
		.encr = 20,
		.bits = 256,
		.integ = 0,
		.key = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308cafebabe",
		.integ_key = "",
		.iv = "facedbaddecaf888",
		.aad = "feedfacedeadbeeffeedfacedeadbeefabaddad2",
		.plain =
			"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525"
			"b16aedf5aa0de657ba637b39",
		.sealed =
			"522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838"
			"c5f61e6393ba7a0abcc9f662",
		.icv = "76fc6ece0f4e1768cddf8853bb2d551b",
	},
	{
		.encr = 20,
		.bits = 128,
		.integ = 0,
		.key = "feffe9928665731c6d6a8f9467308308cafebabe",
		.integ_key = "",
		.iv = "facedbaddecaf888",
		.aad = "feedfacedeadbeeffeedfacedeadbeefabaddad2",
		.plain =
			"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525"
			"b16aedf5aa0de657ba637b39",
		.sealed =
			"42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa05"
			"1ba30b396a0aac973d58e091",
		.icv = "5bc94fbc3221a5db94fae95ae7121a47",
	},
	{
		.encr = 28,
		.bits = 0,
		.integ = 0,
		.key = "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3",
		.integ_key = "",
		.iv = "1011121314151617",
		.aad = "c0c1c2c3c4c5c6c7d0d1d2d3d4d5d6d72e202500000000090000004529000029",
		.plain = "0000000c000040010000000a00",
		.sealed = "610394701f8d017f7c12924889",
		.icv = "6b71bfe25236efd7cdc67066906315b2",
	},
	{
		.encr = 12,
		.bits = 256,
		.integ = 12,
		.key = "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
		.integ_key = "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f",
		.iv = "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
		.aad = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		.plain = "404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f",
		.sealed = "50fdb1eb4e8d6a95b25f50ab4d591ada33dfebdfc771003e8db442375544967a",
		.icv = "715e795e59b854714fea42ac5353890c",
	},
	{
		.encr = 12,
		.bits = 128,
		.integ = 12,
		.key = "808182838485868788898a8b8c8d8e8f",
		.integ_key = "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f",
		.iv = "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
		.aad = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		.plain = "404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f",
		.sealed = "ca02703c28b3dfb1fb6b9c44579b7fff0cd42228ee5774080d15c99e85333270",
		.icv = "af5f3e12ddc01e866f1876c9d2b083ca",
	},
};

static int try_cipher(const struct cipher *cipher, const struct cipher_answer *answer)
{
	struct octets key_octets, integ_octets, iv_octets, aad_octets, text, sealed_octets, icv_octets, out;
	const struct view key = decode(&key_octets, answer->key), integ_key = decode(&integ_octets, answer->integ_key);
	const struct view iv = decode(&iv_octets, answer->iv), aad = decode(&aad_octets, answer->aad);
	const struct view plain = decode(&text, answer->plain), sealed = decode(&sealed_octets, answer->sealed);
	const struct view icv = decode(&icv_octets, answer->icv);
	uint8_t tag[16];

	if (cipher_open(cipher, out.at, sealed, key, integ_key, iv.at, icv.at, aad) ||
	    memcmp(out.at, plain.at, plain.len) != 0)
		return -EIO;
	if (cipher_seal(cipher, tag, text.at, text.len, key, integ_key, iv.at, aad) || !view_equal(plain, sealed) ||
	    !view_equal(view_of(tag, cipher->icv_len), icv))
		return -EIO;
	/* And a wrong tag must be noticed. */
	tag[0] ^= 1;
	return cipher_open(cipher, out.at, sealed, key, integ_key, iv.at, tag, aad) == -EBADMSG ? 0 : -EIO;
}

static int try_ciphers(struct err *err)
{
	for (size_t i = 0; i < sizeof(cipher_answers) / sizeof(cipher_answers[0]); i++) {
		const struct cipher_answer *answer = &cipher_answers[i];
		const struct cipher *cipher = cipher_find(answer->encr, answer->bits, answer->integ);

		if (cipher && try_cipher(cipher, answer))
			return wrong(err, cipher->name);
	}
	return 0;
}

/* digest: SHA2-256 of both values and the shared secret; for a KEM, whose ciphertext is long, of the initiator's value alone. */
static const struct kex_answer {
	uint16_t id;
	const char *random_i, *random_r, *digest;
} kex_answers[] = {
	{ .id = 31,
	  .random_i = "751fb4308655b476b6789b7325f9ea8cddd16a58533ff6d9e60009464a5f9d94",
	  .random_r = "0a54645253290d60ddadd0e030bacd9e5501efdc220755a1e978f1b839a05688",
	  .digest = "36f453dc7d91a40a488a83ec720a1a0d64011761a24606ca4ec219bac3217a63" },
	{ .id = 19,
	  .random_i =
		  "00000000000000000000000000000000c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1432",
	  .random_r =
		  "00000000000000000000000000000000c6ef9c5d78ae012a011164acb397ce2088685d8f06bf9be0b283ab46476bee52",
	  .digest = "6815392b9a88463748362026922865236f596785a9e1b03073b8499d16771f90" },
	{ .id = 20,
	  .random_i = "00000000000000000000000000000000099f3c7034d4a2c699884d73a375a67f7624ef7c6b3c0f160647b67414dce655"
		      "e35b538041e649ee3faef896783ab193",
	  .random_r = "0000000000000000000000000000000041cb0779b4bdb85d47846725fbec3c9430fab46cc8dc5060855cc9bda0aa2942"
		      "e0308312916b8ed2960e4bd55a7448fb",
	  .digest = "3e2e5a0eecd66f299fd4cf26c1402103344eebf9e2e520d1417be2be4c5a28bf" },
	{ .id = 14,
	  .random_i = "101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637",
	  .random_r = "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f8081828384858687",
	  .digest = "64aea7ff67c10ec6d67e369275309840c132960eaea8c776812fa6c036f6ac4e" },
	{ .id = 36,
	  .random_i = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f"
		      "303132333435363738393a3b3c3d3e3f",
	  .random_r = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"
		      "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a",
	  .digest = "0b7934c83125c788995e2ba6bd761e33046b3e40571be53e023309a29f398cc9" },
};

static int try_kex(const struct kex *kex, const struct kex_answer *answer)
{
	uint8_t value_i[KEX_PUBLIC_MAX], value_r[KEX_PUBLIC_MAX], shared_i[KEX_SHARED_MAX], shared_r[KEX_SHARED_MAX];
	const struct view parts[] = { view_of(value_i, kex->start_len), view_of(value_r, kex->answer_len),
				      view_of(shared_i, kex->shared_len) };
	struct kex_private mine_i = { { 0 } }, mine_r = { { 0 } };
	struct octets octets;
	uint8_t digest[SHA256_LEN];
	struct view view = decode(&octets, answer->random_i);

	memcpy(mine_i.random, view.at, view.len);
	view = decode(&octets, answer->random_r);
	memcpy(mine_r.random, view.at, view.len);
	if (kex_start(kex, value_i, &mine_i) || kex_respond(kex, value_r, shared_r, parts[0], &mine_r) ||
	    kex_finish(kex, shared_i, parts[1], &mine_i) || memcmp(shared_i, shared_r, kex->shared_len) != 0 ||
	    hash_sha256(digest, parts, kex->kem ? 1 : 3))
		return -EIO;
	return view_equal(VIEW_OF(digest), decode(&octets, answer->digest)) ? 0 : -EIO;
}

static int try_exchanges(struct err *err)
{
	for (size_t i = 0; i < sizeof(kex_answers) / sizeof(kex_answers[0]); i++) {
		const struct kex *kex = kex_find(kex_answers[i].id);

		if (kex && try_kex(kex, &kex_answers[i]))
			return wrong(err, kex->name);
	}
	return 0;
}

static const struct {
	const char *name, *message, *spki, *auth;
} sign_answers[] = {
	{ .name = "Ed25519",
	  .message = "af82",
	  .spki = "302a300506032b6570032100fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
	  .auth = "07300506032b65706291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290"
		  "ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a" },
	{ .name = "ECDSA P-256",
	  .message = "616263",
	  .spki = "3059301306072a8648ce3d020106082a8648ce3d030107034200042442a5cc0ecd015fa3ca31dc8e2bbc70bf42d60cbc"
		  "a20085e0822cb04235e9706fc98bd7e50211a4a27102fa3549df79ebcb4bf246b80945cddfe7d509bbfd7d",
	  .auth = "0c300a06082a8648ce3d0403023046022100cb28e0999b9c7715fd0a80d8e47a77079716cbbf917dd72e97566ea1c066"
		  "957c02210086fa3bb4e26cad5bf90b7f81899256ce7594bb1ea0c89212748bff3b3d5b0315" },
	{ .name = "ECDSA P-384",
	  .message = "616263",
	  .spki = "3076301006072a8648ce3d020106052b810400220362000496281bf8dd5e0525ca049c048d345d3082968d10fedf5c5a"
		  "ca0c64e6465a97ea5ce10c9dfec21797415710721f437922447688ba94708eb6e2e4d59f6ab6d7edff9301d249fe49c3"
		  "3096655f5d502fad3d383b91c5e7edaa2b714cc99d5743ca",
	  .auth = "0c300a06082a8648ce3d0403033066023100fb017b914e29149432d8bac29a514640b46f53ddab2c69948084e2930f1c"
		  "8f7e08e07c9c63f2d21a07dcb56a6af56eb3023100b263a1305e057f984d38726a1b46874109f417bca112674c528262"
		  "a40a629af1cbb9f516ce0fa7d2ff630863a00e8b9f" },
	{ .name = "RSASSA-PSS",
	  .message = "616263",
	  .spki = "30820122300d06092a864886f70d01010105000382010f003082010a0282010100c8d539f350358060f47635c97ec81c"
		  "b0cddb1bf4772c2c130443340fb258587fabbd0f931f2bade0d86eaa4081aff7caa61c2a2e88a9e565ab2b886c6bdc2c"
		  "7fbc97b051a8f90df51be7779e14bbb4805f46a9ae2ae88c53ebd204a320f49fa3eed58fdb3c52932c963c8ee7140ec3"
		  "d266539af0037c61c8777eb9575599b562a41f479c649691f692bf7af9c1b8c5b4d74cf8741771b99488126fef1052d4"
		  "fed4ca1ad66141606a0573ebe39526653f32e369e5932c75c62eca86a0c50eceeba4c0ac5cafe3e469e630cb6ad07cfa"
		  "2e70ebe35c98cf696baf00fa2cc91a7e7aabfe5e19147ac171a18d5abded90fc78957d50de8fde9849a7b0ce19cd8bd9"
		  "470203010001",
	  .auth = "43304106092a864886f70d01010a3034a00f300d06096086480165030402010500a11c301a06092a864886f70d010108"
		  "300d06096086480165030402010500a203020120a4b82ff9f894a967f47b91e1776d0e66102325da878f2671ad7c1026"
		  "a6f0c8d5745628afa3ce13fb1e6497092e848daa0923265aaa1f943540f1df9ed31ce36b593e5a6c03da2b4df3d03b48"
		  "a53f2e4f1d7e8b105f3e278d6d15a3c0be4b6dcf0623fa28bd4f2a63f8a626e19ed440a3db7737d65949b9fa1722c431"
		  "a058a5a591d9f3e297b4c1841fc1034465aaa42cf951dcc84b0c5df3181eb02494a4c65a2df50409e5f278119f17f762"
		  "cd09c85cd2978586f4f9393f76d86622effc72a1494202750d75873268cc34cb5ce0bc0a7c7767a5b88434dc7afe7aaf"
		  "464bd59c948e6d75edbcb10f3fd84aabe4fcc330dee000c658c5329d70854c950566073d" },
};

/* All four must be there: SIGN_HASHES, which peers are told, is a constant. */
static int try_signatures(struct err *err)
{
	for (size_t i = 0; i < sizeof(sign_answers) / sizeof(sign_answers[0]); i++) {
		struct octets message_octets, spki_octets, auth_octets;
		const struct view message = decode(&message_octets, sign_answers[i].message);
		const struct view spki = decode(&spki_octets, sign_answers[i].spki);
		const struct view auth = decode(&auth_octets, sign_answers[i].auth);

		if (sign_verify(spki, SIGN_HASHES, auth, &message, 1))
			return wrong(err, sign_answers[i].name);
		message_octets.at[0] ^= 1;
		if (sign_verify(spki, SIGN_HASHES, auth, &message, 1) != -EBADMSG)
			return wrong(err, sign_answers[i].name);
	}
	return 0;
}

int selftest_run(struct err *err)
{
	int rc = try_hashes(err);

	if (!rc)
		rc = try_prfs(err);
	if (!rc)
		rc = try_ciphers(err);
	if (!rc)
		rc = try_exchanges(err);
	if (!rc)
		rc = try_signatures(err);
	return rc;
}

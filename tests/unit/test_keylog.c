// SPDX-License-Identifier: Apache-2.0
/*
 * Lines of the keylog: their text, and a second opinion on it and on our messages: tshark reads a capture of messages
 * and ESP packets sealed by us, with the keylog as its tables, and must see what is inside, with every ICV good. With other keys
 * it must not. Skipped without tshark.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/addr.h"
#include "ike/keylog.h"
#include "ike/proposal.h"
#include "sealing.h"

#define LINES_MAX 32
#define ESP_CHILDREN 3

/* What the keylog said: lines of the one table and of the other. */
struct lines {
	size_t count;
	bool esp[LINES_MAX];
	char text[LINES_MAX][512];
};

static void keep(void *arg, bool esp, const char *line)
{
	struct lines *lines = arg;

	assert_in_range(lines->count, 0, LINES_MAX - 1);
	assert_in_range(strlen(line), 1, sizeof(lines->text[0]) - 1);
	lines->esp[lines->count] = esp;
	strcpy(lines->text[lines->count++], line);
}

static int setup(void **state)
{
	struct err err = ERR_NONE;

	(void)state;
	return crypto_init(&err);
}

static struct ike_path path_of(const char *local, const char *remote)
{
	struct ike_path path = { .local_port = 500, .remote_port = 500 };

	assert_int_equal(addr_parse(&path.local, local, NULL), 0);
	assert_int_equal(addr_parse(&path.remote, remote, NULL), 0);
	return path;
}

static struct keymat keys_for(uint16_t encr, uint16_t bits, uint16_t integ)
{
	struct keymat keymat = sealing_keymat(0);

	keymat.cipher = cipher_find(encr, bits, integ);
	assert_non_null(keymat.cipher);
	return keymat;
}

static void test_ike_lines(void **state)
{
	static const uint8_t spi_i[8] = { 0xde, 0xad, 0, 0, 0, 0, 0, 1 }, spi_r[8] = { 0, 0xff };
	struct lines lines = { 0 };
	const struct ike_host host = { .arg = &lines, .keylog = keep }, silent = { 0 };
	struct keymat keymat = keys_for(ENCR_AES_GCM_16, 128, 0);

	(void)state;
	keylog_ike(&silent, spi_i, spi_r, &keymat);
	memset(keymat.ei, 0xe1, sizeof(keymat.ei));
	memset(keymat.er, 0xe2, sizeof(keymat.er));
	memset(keymat.ai, 0xa1, sizeof(keymat.ai));
	memset(keymat.ar, 0xa2, sizeof(keymat.ar));
	keylog_ike(&host, spi_i, spi_r, &keymat);
	keymat.cipher = cipher_find(ENCR_AES_CBC, 128, INTEG_HMAC_SHA2_256_128);
	keylog_ike(&host, spi_i, spi_r, &keymat);
	keymat.cipher = cipher_find(ENCR_CHACHA20_POLY1305, 0, 0);
	keylog_ike(&host, spi_i, spi_r, &keymat);
	assert_int_equal(lines.count, 3);
	assert_string_equal(lines.text[0], "dead000000000001,00ff000000000000,"
					   "e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1,"
					   "e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2,"
					   "\"AES-GCM-128 with 16 octet ICV [RFC5282]\",,,\"NONE [RFC4306]\"");
	assert_string_equal(lines.text[1], "dead000000000001,00ff000000000000,"
					   "e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1,e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2,"
					   "\"AES-CBC-128 [RFC3602]\","
					   "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1,"
					   "a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2,"
					   "\"HMAC_SHA2_256_128 [RFC4868]\"");
	assert_memory_equal(lines.text[2], "# dead000000000001,00ff000000000000,e1e1", 40);
	assert_false(lines.esp[0] || lines.esp[1] || lines.esp[2]);
}

static struct child child_of(enum child_algorithm algorithm, uint8_t number)
{
	struct child child = { .algorithm = algorithm };
	const uint8_t in[4] = { 0xc0, 0, 1, number }, out[4] = { 0x0f, 0, 2, number };

	memcpy(&child.spi_in_be, in, 4);
	memcpy(&child.spi_out_be, out, 4);
	sealing_fill(child.key_in, sizeof(child.key_in), number);
	sealing_fill(child.key_out, sizeof(child.key_out), number + 100u);
	return child;
}

static void test_child_lines(void **state)
{
	const struct ike_path v4 = path_of("192.0.2.1", "198.51.100.2"), v6 = path_of("2001:db8::1", "2001:db8::2");
	struct child child = child_of(CHILD_AES_GCM_16_128, 7);
	struct lines lines = { 0 };
	const struct ike_host host = { .arg = &lines, .keylog = keep }, silent = { 0 };

	(void)state;
	memset(child.key_in, 0x11, sizeof(child.key_in));
	memset(child.key_out, 0x22, sizeof(child.key_out));
	keylog_child(&silent, &v4, &child);
	keylog_child(&host, &v4, &child);
	child.algorithm = CHILD_CHACHA20_POLY1305;
	keylog_child(&host, &v6, &child);
	assert_int_equal(lines.count, 4);
	assert_string_equal(lines.text[0], "\"IPv4\",\"192.0.2.1\",\"198.51.100.2\",\"0x0f000207\","
					   "\"AES-GCM with 16 octet ICV [RFC4106]\","
					   "\"0x2222222222222222222222222222222222222222\",\"NULL\",\"\"");
	assert_string_equal(lines.text[1], "\"IPv4\",\"198.51.100.2\",\"192.0.2.1\",\"0xc0000107\","
					   "\"AES-GCM with 16 octet ICV [RFC4106]\","
					   "\"0x1111111111111111111111111111111111111111\",\"NULL\",\"\"");
	assert_memory_equal(lines.text[2], "# \"IPv6\",\"2001:db8::1\",\"2001:db8::2\",\"0x0f000207\",\"ChaCha20", 59);
	assert_true(lines.esp[0] && lines.esp[1] && lines.esp[2] && lines.esp[3]);
}

/* ---- tshark ---- */

/* A place of its own with a capture and tables in it. */
struct world {
	char dir[64];
	FILE *pcap;
	unsigned int packets;
	struct lines lines;
	struct ike_host host;
};

static void path_in(char out[128], const struct world *world, const char *name)
{
	snprintf(out, 128, "%s/%s", world->dir, name);
}

static FILE *create(const struct world *world, const char *name)
{
	char path[128];
	FILE *f;

	path_in(path, world, name);
	f = fopen(path, "w");
	assert_non_null(f);
	return f;
}

/* The file header of a capture of bare IP packets (LINKTYPE_RAW), in this machine's byte order. */
static void world_open(struct world *world)
{
	const uint32_t header[] = { 0xa1b2c3d4, 4u << 16 | 2, 0, 0, 65535, 101 };

	memset(world, 0, sizeof(*world));
	strcpy(world->dir, "/tmp/holdfast-keylog-XXXXXX");
	assert_non_null(mkdtemp(world->dir));
	world->host = (struct ike_host){ .arg = &world->lines, .keylog = keep };
	world->pcap = create(world, "capture.pcap");
	fwrite(header, sizeof(header), 1, world->pcap);
}

static void world_close(struct world *world)
{
	static const char *const names[] = { "capture.pcap", "ikev2_decryption_table", "esp_sa" };
	char path[128];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		path_in(path, world, names[i]);
		unlink(path);
	}
	rmdir(world->dir);
}

static uint16_t ip_checksum(const uint8_t *octets, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)octets[i] << 8 | octets[i + 1];
	sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t) ~(sum + (sum >> 16));
}

static void add_packet(struct world *world, const struct hf_addr *from, const struct hf_addr *to, uint8_t protocol,
		       struct view payload)
{
	uint8_t packet[4096];
	struct writer out;
	size_t len;
	const uint8_t *source = addr_octets(from, &len), *destination = addr_octets(to, &len);

	writer_init(&out, packet, sizeof(packet));
	if (len == 4) {
		write_u32(&out, 0x45000000u | (uint32_t)(20 + payload.len));
		write_u32(&out, 0x4000); /* not a fragment, DF */
		write_u32(&out, 0x40000000u | (uint32_t)protocol << 16);
	} else {
		write_u32(&out, 0x60000000);
		write_u16(&out, (uint16_t)payload.len);
		write_u8(&out, protocol);
		write_u8(&out, 64);
	}
	write_octets(&out, source, len);
	write_octets(&out, destination, len);
	if (len == 4)
		put_u16(&out, 10, ip_checksum(packet, 20));
	write_view(&out, payload);
	assert_false(out.failed);
	{
		const uint32_t record[] = { 1, world->packets++, (uint32_t)out.len, (uint32_t)out.len };

		fwrite(record, sizeof(record), 1, world->pcap);
		fwrite(packet, out.len, 1, world->pcap);
	}
}

static void add_udp(struct world *world, const struct hf_addr *from, const struct hf_addr *to, struct view message)
{
	uint8_t datagram[4000];
	struct writer out;

	writer_init(&out, datagram, sizeof(datagram));
	write_u16(&out, 500);
	write_u16(&out, 500);
	write_u16(&out, (uint16_t)(8 + message.len));
	write_u16(&out, 0); /* no checksum */
	write_view(&out, message);
	assert_false(out.failed);
	add_packet(world, from, to, 17, writer_view(&out));
}

/* N(40000) with text that is repeated up to `len` octets. */
static struct view notify_plain(uint8_t *memory, size_t max, const char *text, size_t len)
{
	struct message message;
	uint8_t data[2048];

	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)text[i % strlen(text)];
	message_start_inside(&message, memory, max);
	message_notify(&message, PROTOCOL_NONE, 40000, VIEW_NONE, view_of(data, len));
	assert_false(message.out.failed);
	return writer_view(&message.out);
}

/* A request and its response of one IKE SA, or the request in fragments, each way round. */
static void add_ike(struct world *world, uint8_t number, const struct keymat *keymat, bool cut)
{
	static const uint8_t random_iv[16] = "sixteen octets.";
	const struct ike_path path = path_of("192.0.2.1", "192.0.2.2");
	struct header header = sealing_header();
	uint8_t memory[2200], sealed[2200];
	const struct view plain = notify_plain(memory, sizeof(memory), "holdfast", cut ? 1000 : 8);
	const size_t size = cut ? 512 : 2000;
	const unsigned int total = seal_fragments(plain, size, keymat);

	header.spi_r[7] = number;
	assert_int_equal(total > 1, cut);
	for (int answer = 0; answer < 2; answer++) {
		const struct hf_addr *from = answer ? &path.remote : &path.local;
		const struct hf_addr *to = answer ? &path.local : &path.remote;

		header.flags = answer ? FLAG_RESPONSE : FLAG_INITIATOR;
		for (unsigned int i = 1; i <= total; i++) {
			size_t len = sizeof(sealed);

			assert_int_equal(cut ? seal_fragment(sealed, &len, &header, PAYLOAD_NOTIFY, plain, i, total,
							     size, keymat, !answer, i, random_iv)
					     : seal_message(sealed, &len, &header, PAYLOAD_NOTIFY, plain, keymat,
							    !answer, i, random_iv),
					 0);
			add_udp(world, from, to, view_of(sealed, len));
		}
	}
	keylog_ike(&world->host, header.spi_i, header.spi_r, keymat);
}

/* ESP in transport mode around a UDP datagram, under one direction's key (RFC 4303 2, RFC 4106 3 to 5). */
static void add_esp(struct world *world, const struct hf_addr *from, const struct hf_addr *to, uint32_t spi_be,
		    const struct child *child, const uint8_t *key)
{
	const struct cipher *cipher =
		cipher_find(ENCR_AES_GCM_16, child->algorithm == CHILD_AES_GCM_16_128 ? 128 : 256, 0);
	static const uint8_t udp[] = { 0, 7, 0, 7, 0, 16, 0, 0, 'h', 'o', 'l', 'd', 'f', 'a', 's', 't' };
	uint8_t esp[128];
	struct writer out;

	writer_init(&out, esp, sizeof(esp));
	write_octets(&out, &spi_be, 4);
	write_u32(&out, 1);
	write_zeros(&out, 4);
	write_u32(&out, 99); /* IV */
	write_octets(&out, udp, sizeof(udp));
	write_u8(&out, 1);
	write_u8(&out, 2);
	write_u8(&out, 2);
	write_u8(&out, 17);
	write_zeros(&out, 16);
	assert_int_equal(cipher_seal(cipher, esp + 36, esp + 16, 20, view_of(key, keymat_child_len(child->algorithm)),
				     VIEW_NONE, esp + 8, view_of(esp, 8)),
			 0);
	add_packet(world, from, to, 50, writer_view(&out));
}

static void add_child(struct world *world, const struct ike_path *path, const struct child *child)
{
	add_esp(world, &path->local, &path->remote, child->spi_out_be, child, child->key_out);
	add_esp(world, &path->remote, &path->local, child->spi_in_be, child, child->key_in);
	keylog_child(&world->host, path, child);
}

/* What stands in the 40 to 80 octets after a comma or a 0x is a key: another last digit makes it another key. */
static void spoil(char *line)
{
	size_t run = 0;

	for (char *at = line; *at; at++) {
		run = strchr("0123456789abcdef", *at) ? run + 1 : 0;
		if (run >= 32 && !strchr("0123456789abcdef", at[1]))
			*at = *at == '0' ? '1' : '0';
	}
}

static void write_tables(struct world *world, bool spoiled)
{
	FILE *tables[] = { create(world, "ikev2_decryption_table"), create(world, "esp_sa") };

	for (size_t i = 0; i < world->lines.count; i++) {
		char line[512];

		strcpy(line, world->lines.text[i]);
		if (spoiled)
			spoil(line);
		fprintf(tables[world->lines.esp[i]], "%s\n", line);
	}
	fclose(tables[0]);
	fclose(tables[1]);
}

/* What may stand in a line of tshark's answer, and how often it did. */
enum saying { SAYS_CORRECT, SAYS_INCORRECT, SAYS_NOTIFY, SAYS_ECHO, SAYS_TROUBLE, SAYINGS };

static void ask(unsigned int counts[SAYINGS], const struct world *world)
{
	/* The data of the notify and of the UDP datagram begin with "holdfast". */
	static const char *const sayings[SAYINGS] = {
		[SAYS_CORRECT] = "[correct]",
		[SAYS_INCORRECT] = "[incorrect",
		[SAYS_NOTIFY] = "Notification DATA: 686f6c6466617374",
		[SAYS_ECHO] = "Echo data: 686f6c6466617374",
		[SAYS_TROUBLE] = "Error loading table",
	};
	char command[512], line[8192];
	FILE *pipe;

	snprintf(command, sizeof(command),
		 "WIRESHARK_CONFIG_DIR=%s tshark -n -r %s/capture.pcap -V -o esp.enable_encryption_decode:TRUE "
		 "-o esp.enable_authentication_check:TRUE 2>&1",
		 world->dir, world->dir);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	memset(counts, 0, SAYINGS * sizeof(*counts));
	while (fgets(line, sizeof(line), pipe))
		for (unsigned int i = 0; i < SAYINGS; i++)
			counts[i] += !!strstr(line, sayings[i]);
	assert_int_equal(pclose(pipe), 0);
}

static void test_tshark(void **state)
{
	static const struct {
		uint16_t encr, bits, integ;
	} ciphers[] = { { ENCR_AES_GCM_16, 256, 0 },
			{ ENCR_AES_GCM_16, 128, 0 },
			{ ENCR_CHACHA20_POLY1305, 0, 0 }, /* which tshark cannot; its lines must not be in the way */
			{ ENCR_AES_CBC, 256, INTEG_HMAC_SHA2_256_128 },
			{ ENCR_AES_CBC, 128, INTEG_HMAC_SHA2_256_128 } };
	const struct ike_path v4 = path_of("192.0.2.1", "192.0.2.2"), v6 = path_of("2001:db8::1", "2001:db8::2");
	const unsigned int readable = 4;
	unsigned int counts[SAYINGS];
	static struct world world;
	struct child child;

	(void)state;
	if (system("tshark --version >/dev/null 2>&1")) {
		printf("skip: tshark is not installed\n");
		skip();
	}
	world_open(&world);
	for (uint8_t i = 0; i < 5; i++) {
		const struct keymat keymat = keys_for(ciphers[i].encr, ciphers[i].bits, ciphers[i].integ);

		add_ike(&world, (uint8_t)(2 * i + 1), &keymat, false);
		add_ike(&world, (uint8_t)(2 * i + 2), &keymat, true);
	}
	for (uint8_t i = 0; i < CHILD_ALGORITHMS; i++) {
		child = child_of((enum child_algorithm)i, i);
		if (i == CHILD_CHACHA20_POLY1305)
			keylog_child(&world.host, &v4, &child);
		else
			add_child(&world, i ? &v6 : &v4, &child);
	}
	fclose(world.pcap);

	/* A message on its own and one in three fragments, both ways, of each cipher; two packets of two children. */
	write_tables(&world, false);
	ask(counts, &world);
	assert_int_equal(counts[SAYS_TROUBLE], 0);
	assert_int_equal(counts[SAYS_CORRECT], readable * 2 * (1 + 3) + 2 * 2);
	assert_int_equal(counts[SAYS_INCORRECT], 0);
	assert_int_equal(counts[SAYS_NOTIFY], readable * 2 * 2);
	assert_int_equal(counts[SAYS_ECHO], 2 * 2);
	write_tables(&world, true);
	ask(counts, &world);
	assert_int_equal(counts[SAYS_TROUBLE], 0);
	assert_int_equal(counts[SAYS_CORRECT], 0);
	assert_int_equal(counts[SAYS_NOTIFY] + counts[SAYS_ECHO], 0);
	world_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ike_lines),
		cmocka_unit_test(test_child_lines),
		cmocka_unit_test(test_tshark),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

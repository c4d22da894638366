// SPDX-License-Identifier: Apache-2.0
/*
 * See known.h. One table, one row an address. Memory is what is asked, and is filled first; the disk follows. The pool's
 * order of taking is the order of success, so that the oldest is always the first.
 */
#include "discover/known.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/pool.h"
#include "base/table.h"

#define NAME_MAX_LEN 253

/* A success is written again when the row is this old: what a crash may lose of seven days is nothing. */
#define WRITE_AGAIN_S 3600u

#define PROBLEM_MAX 512

struct entry {
	struct hf_addr addr;
	uint8_t key[SHA256_LEN];
	uint64_t last_s, until_s;
	uint64_t written_s; /* last_s as on disk; 0 = not on disk */
};

struct known {
	struct pool pool;
	struct table table;
	void *pool_memory, *table_memory;
	char *path;
	sqlite3 *db; /* NULL: memory only */
	sqlite3_stmt *put, *del;
	bool damaged;
	bool behind; /* the disk refused something: it does not hold what memory does */
	char problem[PROBLEM_MAX];
};

static const char schema[] = "PRAGMA journal_mode = WAL;"
			     "PRAGMA synchronous = NORMAL;"
			     "CREATE TABLE IF NOT EXISTS known ("
			     " addr BLOB PRIMARY KEY CHECK (length(addr) = 16),"
			     " key BLOB NOT NULL CHECK (length(key) = 32),"
			     " name TEXT NOT NULL,"
			     " last INTEGER NOT NULL," /* wall clock seconds of the last success */
			     " until INTEGER NOT NULL"
			     ") WITHOUT ROWID;";

/* ---- memory ---- */

static struct hf_pair key_of(const struct hf_addr *addr)
{
	return (struct hf_pair){ .remote = *addr };
}

static struct entry *find(const struct known *known, const struct hf_addr *addr)
{
	struct hf_pair key = key_of(addr);
	uint32_t index;

	return table_find(&known->table, &key, &index) ? pool_at(&known->pool, index) : NULL;
}

static void drop(struct known *known, struct entry *entry)
{
	struct hf_pair key = key_of(&entry->addr);

	table_del(&known->table, &key);
	pool_put(&known->pool, pool_handle(&known->pool, entry));
}

/* The entry goes to the end of the order, whether it is new or not. There is room: the caller has made it. */
static struct entry *place(struct known *known, const struct entry *like)
{
	struct entry *old = find(known, &like->addr);
	struct entry copy = *like; /* `like` may be what goes now */
	struct hf_pair key = key_of(&copy.addr);
	struct handle handle;
	struct entry *entry;

	if (old)
		drop(known, old);
	handle = pool_take(&known->pool);
	entry = pool_get(&known->pool, handle);
	if (!entry)
		return NULL;
	*entry = copy;
	if (table_put(&known->table, &key, handle.index) == 0)
		return entry;
	pool_put(&known->pool, handle);
	return NULL;
}

/* ---- disk ---- */

/* The sentence ends with what the operator should do. */
static void complain(struct known *known, const char *what, const char *then)
{
	const char *why = known->db ? sqlite3_errmsg(known->db) : "no memory";

	if (known->db && sqlite3_errcode(known->db) == SQLITE_OK)
		why = "it is damaged";
	snprintf(known->problem, sizeof(known->problem), "%s: the store of known peers %s (%s): %s", known->path, what,
		 why, then);
}

static void close_db(struct known *known)
{
	sqlite3_finalize(known->put);
	sqlite3_finalize(known->del);
	sqlite3_close(known->db);
	known->put = known->del = NULL;
	known->db = NULL;
}

static void give_up(struct known *known, bool lost)
{
	known->damaged = lost;
	if (lost)
		complain(
			known, "cannot be read",
			"who has a key is not reached in clear meanwhile; stop the agent, mend the file or move it away, "
			"and start it");
	else
		complain(known, "cannot be used",
			 "peers that are reached now are forgotten at the next restart; see to the folder and restart");
	close_db(known);
}

static void wrote(struct known *known, int code)
{
	if (code == SQLITE_DONE)
		return;
	known->behind = true;
	complain(known, "cannot be written", "what changed since is in memory only; see to the disk");
}

static bool write_row(struct known *known, const struct entry *entry, const char *name)
{
	int code;

	if (!known->db)
		return false;
	sqlite3_bind_blob(known->put, 1, entry->addr.octet, sizeof(entry->addr.octet), SQLITE_STATIC);
	sqlite3_bind_blob(known->put, 2, entry->key, SHA256_LEN, SQLITE_STATIC);
	sqlite3_bind_text(known->put, 3, name, (int)strnlen(name, NAME_MAX_LEN), SQLITE_STATIC);
	sqlite3_bind_int64(known->put, 4, (sqlite3_int64)entry->last_s);
	sqlite3_bind_int64(known->put, 5, (sqlite3_int64)entry->until_s);
	code = sqlite3_step(known->put);
	wrote(known, code);
	sqlite3_reset(known->put);
	return code == SQLITE_DONE;
}

static void delete_row(struct known *known, const struct hf_addr *addr)
{
	if (!known->db)
		return;
	sqlite3_bind_blob(known->del, 1, addr->octet, sizeof(addr->octet), SQLITE_STATIC);
	wrote(known, sqlite3_step(known->del));
	sqlite3_reset(known->del);
}

/* Rows of whom nobody knows any more: the disk would not let go of them. */
static int delete_strangers(struct known *known)
{
	sqlite3_stmt *row = NULL;
	int code = sqlite3_prepare_v2(known->db, "SELECT addr FROM known", -1, &row, NULL);

	for (code = code == SQLITE_OK ? SQLITE_ROW : code; code == SQLITE_ROW;) {
		code = sqlite3_step(row);
		if (code == SQLITE_ROW && sqlite3_column_bytes(row, 0) == sizeof(struct hf_addr)) {
			struct hf_addr addr;

			memcpy(&addr, sqlite3_column_blob(row, 0), sizeof(addr));
			if (!find(known, &addr))
				delete_row(known, &addr);
		}
	}
	sqlite3_finalize(row);
	return code;
}

static void read_row(struct known *known, sqlite3_stmt *row)
{
	struct entry entry = { 0 };

	if (sqlite3_column_bytes(row, 0) != sizeof(entry.addr.octet) || sqlite3_column_bytes(row, 1) != SHA256_LEN)
		return; /* the schema's CHECK has refused it: somebody else's file, then */
	memcpy(entry.addr.octet, sqlite3_column_blob(row, 0), sizeof(entry.addr.octet));
	memcpy(entry.key, sqlite3_column_blob(row, 1), SHA256_LEN);
	entry.last_s = entry.written_s = (uint64_t)sqlite3_column_int64(row, 2);
	entry.until_s = (uint64_t)sqlite3_column_int64(row, 3);
	place(known, &entry);
}

/* Whatever can be read counts, up to where the damage begins. */
static int read_all(struct known *known)
{
	static const char text[] = "SELECT addr, key, last, until FROM"
				   " (SELECT * FROM known ORDER BY last DESC LIMIT ?) ORDER BY last";
	sqlite3_stmt *row = NULL;
	int code = sqlite3_prepare_v2(known->db, text, -1, &row, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_bind_int(row, 1, KNOWN_MAX);
	if (code == SQLITE_OK)
		code = SQLITE_ROW;
	while (code == SQLITE_ROW) {
		code = sqlite3_step(row);
		if (code == SQLITE_ROW)
			read_row(known, row);
	}
	sqlite3_finalize(row);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* quick_check says "ok", or what is wrong. */
static int on_check(void *arg, int columns, char **values, char **names)
{
	(void)names;
	*(bool *)arg = columns == 1 && values[0] && strcmp(values[0], "ok") == 0;
	return 0;
}

static void open_db(struct known *known)
{
	bool existed = access(known->path, F_OK) == 0, whole = false;
	int code = sqlite3_open_v2(known->path, &known->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_exec(known->db, schema, NULL, NULL, NULL);
	if (code == SQLITE_OK)
		code = read_all(known);
	if (code == SQLITE_OK)
		code = sqlite3_exec(known->db, "PRAGMA quick_check(1)", on_check, &whole, NULL);
	if (code != SQLITE_OK || !whole) {
		give_up(known, existed);
		return;
	}
	code = sqlite3_prepare_v2(known->db, "INSERT OR REPLACE INTO known VALUES (?, ?, ?, ?, ?)", -1, &known->put,
				  NULL);
	if (code == SQLITE_OK)
		code = sqlite3_prepare_v2(known->db, "DELETE FROM known WHERE addr = ?", -1, &known->del, NULL);
	if (code != SQLITE_OK)
		give_up(known, false);
}

/* ---- face ---- */

int known_open(struct known **out, const char *path, const uint8_t seed[16], uint64_t now_s, struct err *err)
{
	struct known *known = calloc(1, sizeof(*known));

	if (known) {
		known->pool_memory = calloc(1, pool_memory(KNOWN_MAX, sizeof(struct entry)));
		known->table_memory = calloc(1, table_memory(KNOWN_MAX));
		known->path = strdup(path);
	}
	if (!known || !known->pool_memory || !known->table_memory || !known->path) {
		known_close(known);
		return err_set(err, -ENOMEM, "no memory for the store of known peers");
	}
	pool_init(&known->pool, known->pool_memory, KNOWN_MAX, sizeof(struct entry));
	table_init(&known->table, known->table_memory, KNOWN_MAX, seed);
	open_db(known);
	known_expire(known, now_s, NULL, NULL);
	*out = known;
	return 0;
}

void known_close(struct known *known)
{
	if (!known)
		return;
	close_db(known);
	free(known->pool_memory);
	free(known->table_memory);
	free(known->path);
	free(known);
}

static void make_room(struct known *known)
{
	struct entry *oldest = pool_at(&known->pool, pool_first(&known->pool));
	struct hf_addr addr = oldest->addr;

	drop(known, oldest);
	delete_row(known, &addr);
}

void known_put(struct known *known, const struct known_peer *peer, uint64_t now_s)
{
	struct entry *old = find(known, &peer->addr), *entry;
	struct entry fresh = { .addr = peer->addr, .last_s = now_s, .until_s = now_s + KNOWN_SPAN_S };

	memcpy(fresh.key, peer->key, sizeof(fresh.key));
	if (peer->key_until_s > fresh.until_s)
		fresh.until_s = peer->key_until_s;
	if (old) {
		/* A clock that was put back must not shorten what was promised. */
		if (old->until_s > fresh.until_s)
			fresh.until_s = old->until_s;
		if (memcmp(old->key, fresh.key, sizeof(fresh.key)) == 0)
			fresh.written_s = old->written_s;
	} else if (pool_count(&known->pool) == KNOWN_MAX) {
		make_room(known);
	}
	entry = place(known, &fresh);
	if (!entry)
		return;
	if (entry->written_s && now_s >= entry->written_s && now_s - entry->written_s < WRITE_AGAIN_S &&
	    (!old || !known->behind))
		return;
	if (write_row(known, entry, peer->name))
		entry->written_s = now_s;
	else
		entry->written_s = 0;
}

void known_catch_up(struct known *known, uint64_t now_s)
{
	if (!known->behind || !known->db)
		return;
	known->behind = false;
	for (uint32_t index = pool_first(&known->pool); index != POOL_NONE && !known->behind;
	     index = pool_next(&known->pool, index)) {
		struct entry *entry = pool_at(&known->pool, index);

		/* The name is for people who read the file; the peer's next success brings it. */
		if (!entry->written_s && write_row(known, entry, ""))
			entry->written_s = now_s;
	}
	if (!known->behind)
		wrote(known, delete_strangers(known));
	if (!known->behind)
		known->problem[0] = '\0';
}

bool known_has(const struct known *known, const struct hf_addr *addr, uint64_t now_s)
{
	const struct entry *entry = find(known, addr);

	return entry && now_s < entry->until_s;
}

bool known_key(const struct known *known, uint8_t out[SHA256_LEN], const struct hf_addr *addr)
{
	const struct entry *entry = find(known, addr);

	if (entry)
		memcpy(out, entry->key, SHA256_LEN);
	return entry != NULL;
}

bool known_forget(struct known *known, const struct hf_addr *addr)
{
	struct entry *entry = find(known, addr);

	if (!entry)
		return false;
	drop(known, entry);
	delete_row(known, addr);
	return true;
}

void known_expire(struct known *known, uint64_t now_s, void (*gone)(void *arg, const struct hf_addr *addr), void *arg)
{
	uint32_t index = pool_first(&known->pool), next;

	for (; index != POOL_NONE; index = next) {
		struct entry *entry = pool_at(&known->pool, index);
		struct hf_addr addr = entry->addr;

		next = pool_next(&known->pool, index);
		if (now_s < entry->until_s)
			continue;
		known_forget(known, &addr);
		if (gone)
			gone(arg, &addr);
	}
}

void known_each(const struct known *known, void (*see)(void *arg, const struct hf_addr *addr), void *arg)
{
	for (uint32_t index = pool_first(&known->pool); index != POOL_NONE; index = pool_next(&known->pool, index))
		see(arg, &((const struct entry *)pool_at(&known->pool, index))->addr);
}

size_t known_count(const struct known *known)
{
	return pool_count(&known->pool);
}

bool known_is_damaged(const struct known *known)
{
	return known->damaged;
}

const char *known_problem(const struct known *known)
{
	return known->problem[0] ? known->problem : NULL;
}

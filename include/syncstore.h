/*
 * SyncStore 0.1.0: an embedded offline-first JSON store that syncs with a server.
 *
 * Generated from src/ffi; do not edit. docs/C-API.md explains the conventions at length. In short:
 *
 * - A call that can fail answers a syncstore_status: SYNCSTORE_OK, which is 0; above 0 another answer that is no
 *   error, such as SYNCSTORE_NOT_FOUND; below 0 an error. Its last parameter takes the error's particulars: NULL,
 *   or where to put a syncstore_error that you free. It is set to NULL unless there is an error.
 * - An output is written to on SYNCSTORE_OK; otherwise it is NULL or 0. Unless it says that it may be NULL, it may not.
 * - A handle is freed by the function of its name that ends in _free. NULL is ignored there. Handles may be freed in any order;
 *   while another thread uses one, it may not be freed.
 * - Names are UTF-8 and end with NUL; values are UTF-8 with a length. What goes in is copied, or used during the call alone.
 *   Text that a handle's getter gives belongs to the handle. A syncstore_text is yours to free.
 * - "Thread: any" means that any number of threads may call it at a time, on one handle too.
 * - Times are milliseconds.
 */

#ifndef SYNCSTORE_H
#define SYNCSTORE_H

#include <stddef.h>
#include <stdint.h>

/** The version of this header; syncstore_version() has the library's. */
#define SYNCSTORE_VERSION_MAJOR 0
#define SYNCSTORE_VERSION_MINOR 1
#define SYNCSTORE_VERSION_PATCH 0
#define SYNCSTORE_VERSION "0.1.0"

/* Define SYNCSTORE_SHARED before including this to link the DLL on Windows; elsewhere nothing is needed. */
#ifndef SYNCSTORE_API
#if defined(_WIN32) && defined(SYNCSTORE_SHARED)
#define SYNCSTORE_API __declspec(dllimport)
#else
#define SYNCSTORE_API
#endif
#endif

/* The store's handle is syncstore, and syncstore_store as well. In C++ it is syncstore_store alone, since there syncstore is the namespace of syncstore.hpp. */
#ifdef __cplusplus
#define syncstore syncstore_store
extern "C" {
#endif

/* ---------------------------------------------------------------
 * Handles
 */

/** Why a call failed. */
typedef struct syncstore_error syncstore_error;

/** A list of names. */
typedef struct syncstore_names syncstore_names;

/** A store. It may be used by any number of threads at a time. */
typedef struct syncstore syncstore;

/** What became of an operation. */
typedef struct syncstore_outcome syncstore_outcome;

/** Operations that stand or fall together. */
typedef struct syncstore_batch syncstore_batch;

/** Rows that were read, in order. */
typedef struct syncstore_rows syncstore_rows;

/** What to read of a collection. */
typedef struct syncstore_query syncstore_query;

/** The index entries of an item, by the names of the indexes in bytewise order. */
typedef struct syncstore_index_entries syncstore_index_entries;

/** Relations of an item, as their subject or as their object. */
typedef struct syncstore_relation_list syncstore_relation_list;

/** What a walk found, in the order in which it was reached. */
typedef struct syncstore_related_items syncstore_related_items;

/** Where a walk begins, and how it goes on. */
typedef struct syncstore_walk syncstore_walk;

/** One item that reads otherwise than before. Never to be freed: it belongs to what it was asked of. */
typedef struct syncstore_change syncstore_change;

/** What changed: a list. */
typedef struct syncstore_changes syncstore_changes;

/** Collects what changes, from syncstore_watch() on. */
typedef struct syncstore_watcher syncstore_watcher;

/** What a background sync is at, as of the moment at which it was asked. */
typedef struct syncstore_sync_status syncstore_sync_status;

/** Listens to a store. */
typedef struct syncstore_events syncstore_events;

/** Something that a store tells. Never to be freed. */
typedef struct syncstore_event syncstore_event;

/** A list of refs. */
typedef struct syncstore_refs syncstore_refs;

/** A conflict, as it was when it was listed. Never to be freed: it belongs to its list, or to the callback that got it. */
typedef struct syncstore_conflict syncstore_conflict;

/** A list of conflicts. */
typedef struct syncstore_conflict_list syncstore_conflict_list;

/** What a resolver says of a conflict; valid until the callback that got it returns. Never to be freed. */
typedef struct syncstore_answer syncstore_answer;

/** Decides conflicts. */
typedef struct syncstore_resolver syncstore_resolver;

/** Things that a program should learn of once: rejected operations, and conflicts. */
typedef struct syncstore_notices syncstore_notices;

/** A list of rejected operations. */
typedef struct syncstore_rejected_list syncstore_rejected_list;

/** A rejected operation, with what the user meant by it. Never to be freed: it belongs to its list. */
typedef struct syncstore_rejected_op syncstore_rejected_op;

/** Ends the calls that it is given to. */
typedef struct syncstore_cancel syncstore_cancel;

/** What a callback is to fill in; it is the library's, and goes when the callback comes back. */
typedef struct syncstore_credential syncstore_credential;

/** A source of credentials, for any number of wires. */
typedef struct syncstore_credentials syncstore_credentials;

/** A connection to one database of one server. It may be used by any number of threads at a time. */
typedef struct syncstore_wire syncstore_wire;

/** What one call of syncstore_sync(), syncstore_push() or syncstore_pull() did. */
typedef struct syncstore_report syncstore_report;

/** One call over a wire of the host's own. */
typedef struct syncstore_wire_call syncstore_wire_call;

/** One database of one server. It may be used by any number of threads at a time. */
typedef struct syncstore_remote syncstore_remote;

/** An item as a server had it. */
typedef struct syncstore_remote_item syncstore_remote_item;

/** A page of a listing: of items, or of collections. */
typedef struct syncstore_remote_page syncstore_remote_page;

/** Writes that are all done, or none. Calls on one batch wait for each other. */
typedef struct syncstore_remote_batch syncstore_remote_batch;

/** What a search found, the best first. */
typedef struct syncstore_hits syncstore_hits;

/** A SELECT with its parameters. */
typedef struct syncstore_sql syncstore_sql;

/** What a statement found: columns, and rows in order. */
typedef struct syncstore_sql_rows syncstore_sql_rows;

/** Which collections, and which keys of them, are kept. */
typedef struct syncstore_filter syncstore_filter;

/** Pending operations, in order. */
typedef struct syncstore_pending_ops syncstore_pending_ops;

/* ---------------------------------------------------------------
 * Status
 *
 * What every call that can fail answers. The numbers are fixed for good, and none is ever used again for something else; a later
 * version may answer with others: treat one below 0 that you do not know as an error. "May be tried again" is what
 * syncstore_error_retryable() says.
 */

/** 0: done. Above 0: another answer that is no error. Below 0: an error. */
typedef int32_t syncstore_status;

/** Done. */
#define SYNCSTORE_OK 0

/** No error: there is no such item, or nothing is known of such an operation. */
#define SYNCSTORE_NOT_FOUND 1

/** No error: there is nothing to pump. */
#define SYNCSTORE_NOTHING_TO_PUMP 140

/** No error: the item is as an earlier read had it. */
#define SYNCSTORE_UNCHANGED 170

/** The call breaks a rule of this header: NULL where it may not be, bad UTF-8, a struct_size or a constant that is none. */
#define SYNCSTORE_MISUSE (-1)

/** The store was closed. */
#define SYNCSTORE_CLOSED (-2)

/** The library panicked within this call: a bug. The handle is poisoned. */
#define SYNCSTORE_PANIC (-3)

/** An earlier call on this handle, or on its store, panicked. Free it. */
#define SYNCSTORE_POISONED (-4)

/** The file is none of SyncStore's; it was left untouched. */
#define SYNCSTORE_NOT_A_REPLICA (-10)

/** A newer version wrote the file; it was left untouched. */
#define SYNCSTORE_NEWER_SCHEMA (-11)

/** The file is damaged. Keep a copy of it, and of its -wal file, before anything else. */
#define SYNCSTORE_CORRUPT (-12)

/** The disk is full. */
#define SYNCSTORE_DISK_FULL (-13)

/** Another process kept the file locked for longer than busy_timeout_ms. May be tried again. */
#define SYNCSTORE_BUSY (-14)

/** SQLite or the file system failed in another way. */
#define SYNCSTORE_STORAGE (-15)

/** The file has reached its largest size, and takes no more from a server. */
#define SYNCSTORE_TOO_LARGE (-16)

/** Another store is syncing the same file. May be tried again. */
#define SYNCSTORE_SYNCED_ELSEWHERE (-20)

/** Cancelled, or the store was stopped or closed meanwhile. */
#define SYNCSTORE_CANCELLED (-21)

/** The background sync runs already. */
#define SYNCSTORE_ALREADY_STARTED (-22)

/** The replica is not what the server's log makes. */
#define SYNCSTORE_DIVERGED (-23)

/** The wire leads to another database than the file's. */
#define SYNCSTORE_WRONG_DATABASE (-24)

/** A callback of a sync would wait for that sync. */
#define SYNCSTORE_WITHIN_SYNC (-25)

/** A name, a value or a batch exceeds a limit. */
#define SYNCSTORE_LIMIT (-30)

/** A value is not JSON, or not of the shape that was asked for. */
#define SYNCSTORE_JSON (-31)

/** There is no item to do this to. */
#define SYNCSTORE_NO_ITEM (-32)

/** The patch does not apply to the item. */
#define SYNCSTORE_PATCH_FAILED (-33)

/** The replica does not keep this item. */
#define SYNCSTORE_NOT_KEPT (-34)

/** Others kept changing the item. May be tried again. */
#define SYNCSTORE_CONTENDED (-35)

/** The operation is no rejected one that waits to be dealt with. */
#define SYNCSTORE_NOT_REJECTED (-36)

/** The edit is of another part of the item than the operation. */
#define SYNCSTORE_EDIT_OF_ANOTHER_PART (-37)

/** The conflict is not as it was listed. */
#define SYNCSTORE_CONFLICT_MOVED (-38)

/** The token is not of a query of this kind. */
#define SYNCSTORE_RESUME_TOKEN (-50)

/** An SQL statement cannot be run, or hit a limit. */
#define SYNCSTORE_SQL (-51)

/** An automatic index cannot be declared, built or read. */
#define SYNCSTORE_INDEX (-52)

/** A full-text search cannot be declared or run. */
#define SYNCSTORE_SEARCH (-53)

/** The server cannot be reached. May be tried again. */
#define SYNCSTORE_UNREACHABLE (-60)

/** No answer within a time-out. May be tried again. */
#define SYNCSTORE_TIMED_OUT (-61)

/** The server cannot take the request now. May be tried again. */
#define SYNCSTORE_UNAVAILABLE (-62)

/** The server does not accept the credential. */
#define SYNCSTORE_UNAUTHENTICATED (-63)

/** The server forbids the request. */
#define SYNCSTORE_FORBIDDEN (-64)

/** The server no longer reads from the replica's cursor. */
#define SYNCSTORE_CURSOR_EXPIRED (-65)

/** The checkpoint is gone on the server. */
#define SYNCSTORE_CHECKPOINT_EXPIRED (-66)

/** The server refused the request as a whole. */
#define SYNCSTORE_REFUSED (-67)

/** The server's answer breaks the protocol. May be tried again. */
#define SYNCSTORE_PROTOCOL (-68)

/** The host's own wire or source of credentials failed in a way that is none. */
#define SYNCSTORE_WIRE_PANICKED (-69)

/** The wire is set up wrongly. */
#define SYNCSTORE_SETUP (-70)

/** The item on the server is not as the write asks; syncstore_error_rev() has its rev. Nothing was changed. */
#define SYNCSTORE_PRECONDITION_FAILED (-170)

/** The server refused the write for good; syncstore_error_rejection() says why. Nothing was changed. */
#define SYNCSTORE_REJECTED (-171)

/** Whether the write was done is not known; syncstore_error_cause() says what happened. The same write with the same ref is done at most once. */
#define SYNCSTORE_UNCONFIRMED (-172)

/** The operating system gave no file descriptor, or has none of the kind. */
#define SYNCSTORE_NO_DESCRIPTOR (-140)

/**
 * The name of a status as this header spells it, such as "SYNCSTORE_BUSY"; of a number that is none, "SYNCSTORE_UNKNOWN".
 * The text stays for good.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_status_name(syncstore_status status);

/* ---------------------------------------------------------------
 * Refs
 *
 * Every write is an operation, and its ref names it for good: ask with it what became of the write.
 */

/** What a buffer for the text of a ref needs, with the NUL at its end. */
#define SYNCSTORE_REF_TEXT_SIZE 37

/** The name of an operation: the 16 bytes of a UUID in network order. Compare it by memcmp. Refs of one store grow. */
typedef struct syncstore_ref {
  /** The UUID. */
  uint8_t bytes[16];
} syncstore_ref;

/**
 * Writes a ref as text: 36 characters, and NUL.
 *
 * op: the ref.
 * text: where to write to. size: how many bytes there are, at least SYNCSTORE_REF_TEXT_SIZE.
 * Errors: SYNCSTORE_MISUSE; the text is empty then, if there is a byte for that.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_ref_to_text(const syncstore_ref *op,
                                       char *text,
                                       size_t size,
                                       syncstore_error **error);

/**
 * Reads a ref from its text.
 *
 * text: 36 characters, and NUL.
 * op: takes the ref.
 * Errors: SYNCSTORE_MISUSE for a text that is none.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_ref_from_text(const char *text,
                                         syncstore_ref *op,
                                         syncstore_error **error);

/* ---------------------------------------------------------------
 * Errors
 *
 * Why a call failed, for whoever gave it a place to put that. Each belongs to the caller, who frees it; none is kept by the library.
 * Every getter takes NULL too and then answers 0, or "" for the message.
 */

/**
 * What the failed call answered.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_error_code(const syncstore_error *error);

/**
 * What went wrong, in English, for a developer; never NULL, and never with a credential in it. Belongs to the error.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_error_message(const syncstore_error *error);

/**
 * SQLite's (extended) result code, where SQLite failed; else 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
int32_t syncstore_error_sqlite_code(const syncstore_error *error);

/**
 * The HTTP status, where a server answered with one; else 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
int32_t syncstore_error_http_status(const syncstore_error *error);

/**
 * 1: the same call may succeed later without anybody doing something. 0: it will not.
 *
 * Thread: any.
 */
SYNCSTORE_API
int32_t syncstore_error_retryable(const syncstore_error *error);

/**
 * How many milliseconds the server asks to wait before the next try; -1: it does not say.
 *
 * Thread: any.
 */
SYNCSTORE_API
int64_t syncstore_error_retry_after_ms(const syncstore_error *error);

/**
 * The operation that the error is about.
 *
 * op: where to put it; it is zeroed where there is none. NULL only asks whether there is one.
 * Answers 1 where there is one, else 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
int32_t syncstore_error_ref(const syncstore_error *error, syncstore_ref *op);

/**
 * The collection of the item that the error is about; NULL: it is about none. Belongs to the error.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_error_collection(const syncstore_error *error);

/**
 * The key of the item that the error is about; NULL: it is about none. Belongs to the error.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_error_key(const syncstore_error *error);

/**
 * Frees an error. NULL is ignored.
 *
 * Thread: any; no other may be using this error.
 */
SYNCSTORE_API
void syncstore_error_free(syncstore_error *error);

/* ---------------------------------------------------------------
 * The library
 */

/**
 * The version of the library, such as "1.2.3". The text stays for good.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_version(void);

/**
 * How many handles, errors and texts of this library the process holds: those that it was given and has not freed. For a test's
 * end, where it should be 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
size_t syncstore_live_handles(void);

/* ---------------------------------------------------------------
 * Texts and lists of names
 */

/**
 * A text that the caller owns: len bytes of UTF-8, and a NUL behind them that does not count. Free it with syncstore_text_free(), which goes by both members: change
 * neither, and free one copy of them only. What it points to may be changed.
 */
typedef struct syncstore_text {
  /** Its bytes; NULL: there is no text. */
  char *data;
  /** How many bytes. */
  size_t len;
} syncstore_text;

/**
 * Frees a text and sets it to NULL and 0. A text that is NULL or 0 already, and NULL, are ignored.
 *
 * Thread: any; no other may be using this text.
 */
SYNCSTORE_API
void syncstore_text_free(syncstore_text *text);

/**
 * How many names there are; of NULL 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
size_t syncstore_names_count(const syncstore_names *names);

/**
 * The name at a place, from 0; NULL behind the last one. Belongs to the list.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_names_at(const syncstore_names *names, size_t place);

/**
 * Frees a list of names. NULL is ignored.
 *
 * Thread: any; no other may be using this list.
 */
SYNCSTORE_API
void syncstore_names_free(syncstore_names *names);

/* ---------------------------------------------------------------
 * The store
 *
 * A store is one file: everything in it is read and written at once, without the network. Several stores, of several processes too, may
 * have one file open.
 */

/** What a write that was answered survives: a value of syncstore_options.durability. */
typedef int32_t syncstore_durability;

/** How a store is opened; begin with SYNCSTORE_OPTIONS_INIT. Of everything 0, or NULL, is the default. */
typedef struct syncstore_options {
  /** Set by SYNCSTORE_OPTIONS_INIT. */
  size_t struct_size;
  /** SYNCSTORE_DURABILITY_NORMAL or SYNCSTORE_DURABILITY_FULL. */
  syncstore_durability durability;
  /** 1: no operation folds into the item's last one, though neither was sent. */
  int32_t no_coalescing;
  /** 1: the next page of a checkpoint is not fetched while the one before is stored. */
  int32_t no_prefetch;
  /** 1: the replica keeps everything, whatever the file says. Not with keep. */
  int32_t keep_everything;
  /** Which collections and keys the replica keeps, as the text of a filter ("notes,orders:2026-"); NULL: as the file has it. */
  const char *keep;
  /** The SQLite VFS to open the file through, registered with the SQLite within this library; NULL: SQLite's own. */
  const char *vfs;
  /** Decides conflicts as syncs find them; the store keeps what it needs of it. NULL: they wait in syncstore_conflicts(). */
  syncstore_resolver *resolver;
  /** How long a write waits for another process that holds the file; 24 days at most. Default: 5 seconds. */
  int64_t busy_timeout_ms;
  /** The page cache of each connection to the file, in bytes. Default: 16 MiB. */
  uint64_t cache_bytes;
  /** Settled outcomes older than this go, and conflicts that ended; rejections that wait to be dealt with and open conflicts never do by age. Default: 90 days; -1: age alone removes none. */
  int64_t retention_age_ms;
  /** The oldest settled outcomes beyond so many go. Default: 100,000; -1: number alone removes none. */
  int64_t retention_outcomes;
  /** The size of the file, in bytes, from which on no more is taken from a server. Default: 16 GiB. */
  uint64_t largest_file;
  /** The most operations in a push. Default: 1,000. */
  uint32_t push_ops;
  /** The most entries to ask for in a pull. Default: 1,000. */
  uint32_t pull_entries;
  /** The most items to ask for in a page of a checkpoint. Default: 4,000. */
  uint32_t checkpoint_items;
  /** The most pages that one sync reads. Default: 100,000. */
  uint32_t pages;
  /** How often a request is tried in all by one sync; 1: once. Default: 4. */
  uint64_t retry_attempts;
  /** The longest wait after the first failure; it doubles with each one. Default: 250 ms. */
  int64_t retry_first_wait_ms;
  /** No wait is longer, but one that the server asks for. Default: 10 seconds. */
  int64_t retry_longest_wait_ms;
  /** A sync gives up rather than wait longer than this in all. Default: 30 seconds; -1: it never waits. */
  int64_t retry_total_wait_ms;
} syncstore_options;

/** The defaults: syncstore_options x = SYNCSTORE_OPTIONS_INIT; */
#define SYNCSTORE_OPTIONS_INIT { sizeof(syncstore_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/** What became of what was to stop. */
typedef int32_t syncstore_stopped;

/** The end of the process, however it comes; a power loss may take the last writes that were not sent yet. */
#define SYNCSTORE_DURABILITY_NORMAL 0

/** Power loss too: each write waits for the disk. */
#define SYNCSTORE_DURABILITY_FULL 1

/** All of it has ended. */
#define SYNCSTORE_STOPPED_ENTIRELY 1

/** All has ended but a request that cannot be cut off, or a callback of the host's; it ends by itself, and holds nothing of the store. */
#define SYNCSTORE_STOPPED_REQUEST_LEFT 2

/** It was told to, and ends with the transaction, the call or the callback that it is in. */
#define SYNCSTORE_STOPPED_SOON 3

/**
 * Opens the replica at a path, and creates it where there is no file.
 *
 * path: the file, in a directory that exists.
 * options: NULL is the default.
 * store: takes the store; close it by syncstore_close() or syncstore_free().
 * Errors: SYNCSTORE_NOT_A_REPLICA, SYNCSTORE_NEWER_SCHEMA and SYNCSTORE_CORRUPT leave the file as it is; SYNCSTORE_STORAGE
 * when it cannot be opened or created; SYNCSTORE_LIMIT for what options.keep cannot be; SYNCSTORE_MISUSE.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_open(const char *path,
                                const syncstore_options *options,
                                syncstore **store,
                                syncstore_error **error);

/**
 * Closes a store: cuts off its syncs, ends every wait, and closes the file. Nothing is lost. It waits at most 250 ms, and may be
 * called within a callback. Later calls on the store, and on what was made of it, answer SYNCSTORE_CLOSED; calls that other threads are within
 * come to their end. The handle has to be freed all the same.
 *
 * how: takes what became of it: SYNCSTORE_STOPPED_ENTIRELY, when the file is closed; with SYNCSTORE_STOPPED_SOON it is about to be. May be NULL.
 * Errors: SYNCSTORE_CLOSED when it was closed before.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_close(syncstore *store,
                                 syncstore_stopped *how,
                                 syncstore_error **error);

/**
 * Frees a store, and closes it like syncstore_close() where that was not done. What was made of it stays to be freed. NULL is ignored.
 *
 * Thread: any; no other may begin a call on this store any more.
 */
SYNCSTORE_API
void syncstore_free(syncstore *store);

/**
 * The replica's name to the server, a UUID; another one after it diverged.
 *
 * client_id: takes the text; free it with syncstore_text_free().
 * Errors: when the file cannot be read.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_client_id(syncstore *store,
                                     syncstore_text *client_id,
                                     syncstore_error **error);

/* ---------------------------------------------------------------
 * Items
 *
 * An item is a JSON value under a collection's name and a key. A write is durable when it answers, together with the operation that will carry
 * it to the server, and the operation's ref names it for good.
 */

/**
 * Replaces an item's value, or creates the item.
 *
 * collection, key: the item, 1 to 128 bytes each.
 * json, json_len: its value as JSON text of so many bytes; it is stored byte for byte.
 * op: takes the operation's ref; may be NULL.
 * Errors: SYNCSTORE_LIMIT, SYNCSTORE_JSON, SYNCSTORE_NOT_KEPT, SYNCSTORE_DISK_FULL, SYNCSTORE_BUSY, SYNCSTORE_STORAGE; then nothing was written.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_set(syncstore *store,
                               const char *collection,
                               const char *key,
                               const char *json,
                               size_t json_len,
                               syncstore_ref *op,
                               syncstore_error **error);

/**
 * Changes a part of an item's value by a JSON Patch (RFC 6902). The patch itself travels, so changes that others make to the rest of the
 * item stay.
 *
 * collection, key: the item.
 * patch, patch_len: the patch, a JSON array, as text of so many bytes.
 * op: takes the operation's ref; may be NULL.
 * Errors: SYNCSTORE_NO_ITEM, SYNCSTORE_PATCH_FAILED, and those of syncstore_set(); then nothing was written.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_patch(syncstore *store,
                                 const char *collection,
                                 const char *key,
                                 const char *patch,
                                 size_t patch_len,
                                 syncstore_ref *op,
                                 syncstore_error **error);

/**
 * Removes an item. Removing what this replica does not have is an operation too: the server may have it.
 *
 * collection, key: the item.
 * op: takes the operation's ref; may be NULL.
 * Errors: those of syncstore_set(); then nothing was written.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_delete(syncstore *store,
                                  const char *collection,
                                  const char *key,
                                  syncstore_ref *op,
                                  syncstore_error **error);

/**
 * Reads an item's value, byte for byte as it was set.
 *
 * collection, key: the item.
 * json: takes its JSON text; free it with syncstore_text_free().
 * Answers SYNCSTORE_NOT_FOUND where there is no such item.
 * Errors: when the file cannot be read.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_get(syncstore *store,
                               const char *collection,
                               const char *key,
                               syncstore_text *json,
                               syncstore_error **error);

/**
 * The names of all collections that have an item, in bytewise order.
 *
 * names: takes the list; free it with syncstore_names_free().
 * Errors: when the file cannot be read.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_collections(syncstore *store,
                                       syncstore_names **names,
                                       syncstore_error **error);

/* ---------------------------------------------------------------
 * Outcomes
 *
 * What became of an operation. An outcome is as of the moment at which it was asked for; nothing changes it.
 */

/** What became of an operation. A later version may know others. */
typedef int32_t syncstore_outcome_kind;

/** It waits in the outbox and has never been sent. */
#define SYNCSTORE_OUTCOME_QUEUED 1

/** It was sent; the server has not said for good what becomes of it. */
#define SYNCSTORE_OUTCOME_IN_FLIGHT 2

/** The server committed it, at its seq. */
#define SYNCSTORE_OUTCOME_ACCEPTED 3

/** The server refused it: it has a code, a message, and perhaps a detail and a seq. */
#define SYNCSTORE_OUTCOME_REJECTED 4

/** It became part of another operation on the same item: ask for that one, by its ref. */
#define SYNCSTORE_OUTCOME_FOLDED_INTO 5

/** It was rejected, and then made again as another operation: ask for that one, by its ref. */
#define SYNCSTORE_OUTCOME_RETRIED_AS 6

/** It was taken back before it was ever sent, since a conflict was resolved otherwise: by its ref, if it has one. */
#define SYNCSTORE_OUTCOME_WITHDRAWN 7

/** The server had committed it, at its seq, and then lost it: its log was restored from an older backup. */
#define SYNCSTORE_OUTCOME_UNDONE 8

/**
 * How many operations are not settled.
 *
 * count: takes the number.
 * Errors: when the file cannot be read.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_pending_count(syncstore *store,
                                         uint64_t *count,
                                         syncstore_error **error);

/**
 * What became of an operation.
 *
 * op: the operation.
 * outcome: takes it; free it with syncstore_outcome_free().
 * Answers SYNCSTORE_NOT_FOUND where this replica does not know the operation, or no longer (syncstore_options.retention_age_ms).
 * Errors: when the file cannot be read.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_outcome_of(syncstore *store,
                                      const syncstore_ref *op,
                                      syncstore_outcome **outcome,
                                      syncstore_error **error);

/**
 * Which of the constants it is; of NULL 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_outcome_kind syncstore_outcome_kind_of(const syncstore_outcome *outcome);

/**
 * Its place in the server's log, the first of which is 1; 0: it has none.
 *
 * Thread: any.
 */
SYNCSTORE_API
uint64_t syncstore_outcome_seq(const syncstore_outcome *outcome);

/**
 * The other operation that it became, or gave way to.
 *
 * op: where to put it; it is zeroed where there is none. NULL only asks whether there is one.
 * Answers 1 where there is one, else 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
int32_t syncstore_outcome_ref(const syncstore_outcome *outcome, syncstore_ref *op);

/**
 * Why it was rejected, as a word for a program, such as "stale" or "forbidden"; NULL: it was not. Belongs to the outcome.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_outcome_code(const syncstore_outcome *outcome);

/**
 * Why it was rejected, in the server's words; NULL: it was not. Belongs to the outcome.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_outcome_message(const syncstore_outcome *outcome);

/**
 * More on the rejection, as JSON text whose shape depends on the code; NULL: there is none. Belongs to the outcome.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_outcome_detail(const syncstore_outcome *outcome);

/**
 * Frees an outcome. NULL is ignored.
 *
 * Thread: any; no other may be using this outcome.
 */
SYNCSTORE_API
void syncstore_outcome_free(syncstore_outcome *outcome);

/* ---------------------------------------------------------------
 * Batches
 *
 * Operations that are written at once, and that the server commits all or none of: at most 10,000, and 8 MiB (or what the server
 * publishes). They never fold into others. A batch that is freed without syncstore_batch_commit() writes nothing.
 */

/**
 * Begins a batch.
 *
 * batch: takes it; free it with syncstore_batch_free().
 * Errors: SYNCSTORE_CLOSED.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_batch_new(syncstore *store,
                                     syncstore_batch **batch,
                                     syncstore_error **error);

/**
 * Adds a set; see syncstore_set().
 *
 * collection, key: the item, 1 to 128 bytes each.
 * json, json_len: its value as JSON text of so many bytes.
 * Errors: SYNCSTORE_LIMIT, for the batch as a whole too; SYNCSTORE_JSON; SYNCSTORE_MISUSE when it was committed. The batch is as it was then.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_batch_set(syncstore_batch *batch,
                                     const char *collection,
                                     const char *key,
                                     const char *json,
                                     size_t json_len,
                                     syncstore_error **error);

/**
 * Adds a patch; see syncstore_patch(). Whether it applies shows in syncstore_batch_commit().
 *
 * collection, key: the item.
 * patch, patch_len: the patch, a JSON array, as text of so many bytes.
 * Errors: those of syncstore_batch_set().
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_batch_patch(syncstore_batch *batch,
                                       const char *collection,
                                       const char *key,
                                       const char *patch,
                                       size_t patch_len,
                                       syncstore_error **error);

/**
 * Adds a delete; see syncstore_delete().
 *
 * collection, key: the item.
 * Errors: those of syncstore_batch_set().
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_batch_delete(syncstore_batch *batch,
                                        const char *collection,
                                        const char *key,
                                        syncstore_error **error);

/**
 * Adds a set of an index entry; see syncstore_set_index(). Whether there is an item shows in syncstore_batch_commit().
 *
 * collection, key: the item.
 * name: the index. order: the ordering key. Each has 1 to 128 bytes.
 * Errors: those of syncstore_batch_set().
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_batch_set_index(syncstore_batch *batch,
                                           const char *collection,
                                           const char *key,
                                           const char *name,
                                           const char *order,
                                           syncstore_error **error);

/**
 * Adds a delete of an index entry; see syncstore_delete_index().
 *
 * collection, key: the item.
 * name: the index.
 * Errors: those of syncstore_batch_set().
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_batch_delete_index(syncstore_batch *batch,
                                              const char *collection,
                                              const char *key,
                                              const char *name,
                                              syncstore_error **error);

/**
 * Adds a set of a relation; see syncstore_set_relation(). Whether there is an item shows in syncstore_batch_commit().
 *
 * collection, key: the item that is the subject.
 * id: names the relation among those of the subject.
 * predicate: what the object is to the subject.
 * object_collection, object_key: the object.
 * Errors: those of syncstore_batch_set().
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_batch_set_relation(syncstore_batch *batch,
                                              const char *collection,
                                              const char *key,
                                              const char *id,
                                              const char *predicate,
                                              const char *object_collection,
                                              const char *object_key,
                                              syncstore_error **error);

/**
 * Adds a delete of a relation; see syncstore_delete_relation().
 *
 * collection, key: the item that is the subject.
 * id: the relation.
 * Errors: those of syncstore_batch_set().
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_batch_delete_relation(syncstore_batch *batch,
                                                 const char *collection,
                                                 const char *key,
                                                 const char *id,
                                                 syncstore_error **error);

/**
 * Adds the adding of a tag; see syncstore_add_tag(). Whether there is an item shows in syncstore_batch_commit().
 *
 * collection, key: the item.
 * tag: the tag.
 * Errors: those of syncstore_batch_set().
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_batch_add_tag(syncstore_batch *batch,
                                         const char *collection,
                                         const char *key,
                                         const char *tag,
                                         syncstore_error **error);

/**
 * Adds the removing of a tag; see syncstore_remove_tag().
 *
 * collection, key: the item.
 * tag: the tag.
 * Errors: those of syncstore_batch_set().
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_batch_remove_tag(syncstore_batch *batch,
                                            const char *collection,
                                            const char *key,
                                            const char *tag,
                                            syncstore_error **error);

/**
 * Writes all operations in one transaction, in the order in which they were added. Afterwards the batch takes no more, and tells by
 * syncstore_batch_id() and syncstore_batch_op() what it is known by.
 *
 * Errors: SYNCSTORE_NO_ITEM for a patch, a set of an index entry or relation, or a tag on an item that is not; SYNCSTORE_PATCH_FAILED;
 * those of syncstore_set(). Nothing of the batch was written then, and it is as it was: it may be committed again. SYNCSTORE_MISUSE when
 * it was committed before.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_batch_commit(syncstore_batch *batch,
                                        syncstore_error **error);

/**
 * The id of a batch that was committed, a UUID like a ref.
 *
 * id: where to put it; it is zeroed where there is none. NULL only asks whether there is one.
 * Answers 1 where there is one; 0: it was not committed, or had no operations, and nothing was written.
 *
 * Thread: any.
 */
SYNCSTORE_API
int32_t syncstore_batch_id(const syncstore_batch *batch,
                           syncstore_ref *id);

/**
 * How many operations a batch has that was committed; before that 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
size_t syncstore_batch_count(const syncstore_batch *batch);

/**
 * The ref of an operation of a batch that was committed, by its place from 0, in the order in which they were added.
 *
 * op: where to put it; it is zeroed where there is none. NULL only asks whether there is one.
 * Answers 1 where there is one, else 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
int32_t syncstore_batch_op(const syncstore_batch *batch,
                           size_t place,
                           syncstore_ref *op);

/**
 * Frees a batch. What was not committed was not written. NULL is ignored.
 *
 * Thread: any; no other may be using this batch.
 */
SYNCSTORE_API
void syncstore_batch_free(syncstore_batch *batch);

/* ---------------------------------------------------------------
 * Rows
 *
 * What a query or a listing read, all as of one moment. It is held in memory until it is freed, and nothing that happens to the store
 * changes it. It is read as a cursor, by syncstore_rows_next(), or by place.
 */

/** Which keys are listed; begin with SYNCSTORE_LIST_OPTIONS_INIT. Of everything 0, or NULL, is the default: every key, ascending. */
typedef struct syncstore_list_options {
  /** Set by SYNCSTORE_LIST_OPTIONS_INIT. */
  size_t struct_size;
  /** Only keys that begin so. */
  const char *prefix;
  /** Only this key and those behind it (inclusive), whatever the direction. */
  const char *from;
  /** Only keys before this one (exclusive), whatever the direction. */
  const char *to;
  /** Resumes a listing after this key (exclusive), in the direction of the listing. */
  const char *after;
  /** At most so many items; syncstore_rows_more() tells whether there are others. Default: all. */
  uint64_t limit;
  /** 1: descending. */
  int64_t reverse;
} syncstore_list_options;

/** The defaults: syncstore_list_options x = SYNCSTORE_LIST_OPTIONS_INIT; */
#define SYNCSTORE_LIST_OPTIONS_INIT { sizeof(syncstore_list_options), 0, 0, 0, 0, 0, 0 }

/** One row: texts with their lengths, without a NUL behind them. They belong to what gave the row, and cost no copy. */
typedef struct syncstore_row {
  /** The item's key. */
  const char *key;
  /** Its length in bytes. */
  size_t key_len;
  /** The value's JSON text, as stored; NULL: the query is for keys only. */
  const char *value;
  /** Its length in bytes. */
  size_t value_len;
  /**
   * The ordering key; NULL: the query goes by key. In an automatic index it is a string itself (but for one that is empty or
   * begins with U+0000 to U+0002), and of anything else a text that sorts so: syncstore_rows_order_value() has the value.
   */
  const char *order;
  /** Its length in bytes. */
  size_t order_len;
} syncstore_row;

/** The type of a value in an index. A later version may know others. */
typedef int32_t syncstore_index_type;

/** What a row stands at in an index. Members that are not of its type are 0. */
typedef struct syncstore_index_value {
  /** One of SYNCSTORE_INDEX_…. */
  syncstore_index_type index_type;
  /** Of an instant: what is beyond the seconds, in nanoseconds, below 1,000,000,000. */
  uint32_t nanos;
  /** Of an integer: it; of a bool: 0 or 1; of an instant: seconds since the beginning of 1970 in UTC, rounded down. */
  int64_t integer;
  /** Of an unsigned: it. */
  uint64_t unsigned_integer;
  /** Of a real: it. */
  double real;
} syncstore_index_value;

/** False or true. */
#define SYNCSTORE_INDEX_BOOL 1

/** An integer of JSON within 64 bits with a sign, or a float that is one. */
#define SYNCSTORE_INDEX_INTEGER 2

/** An integer above those. */
#define SYNCSTORE_INDEX_UNSIGNED 3

/** Any other number. */
#define SYNCSTORE_INDEX_REAL 4

/** A date, in an index of such. */
#define SYNCSTORE_INDEX_INSTANT 5

/** A string. */
#define SYNCSTORE_INDEX_TEXT 6

/**
 * Reads the items of a range of keys with their values. syncstore_query_new() begins a query, which can do more.
 *
 * collection: the collection.
 * options: NULL lists all of it.
 * rows: takes them; free it with syncstore_rows_free().
 * Errors: when the file cannot be read.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_list(syncstore *store,
                                const char *collection,
                                const syncstore_list_options *options,
                                syncstore_rows **rows,
                                syncstore_error **error);

/**
 * How many rows there are; of NULL 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
size_t syncstore_rows_count(const syncstore_rows *rows);

/**
 * The next row, from the first one on. Several threads that ask get different rows.
 *
 * row: takes it; it is zeroed behind the last one. Its texts belong to the rows.
 * Answers 1 where there is one, 0 behind the last one, and of NULL.
 *
 * Thread: any.
 */
SYNCSTORE_API
int32_t syncstore_rows_next(syncstore_rows *rows, syncstore_row *row);

/**
 * The row at a place, from 0.
 *
 * row: takes it; it is zeroed behind the last one. Its texts belong to the rows.
 * Answers 1 where there is one, else 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
int32_t syncstore_rows_at(const syncstore_rows *rows,
                          size_t place,
                          syncstore_row *row);

/**
 * What the row at a place stands at in the index that the query went by. Of an automatic index it is what is in the values; of
 * entries that were set by hand, a text. A number is the integer that it is the same as, if there is one.
 *
 * value: takes it; it is zeroed where there is none. May be NULL.
 * text, len: take the text of a SYNCSTORE_INDEX_TEXT, without a NUL behind it; it belongs to the rows. Otherwise NULL and 0. Both may be NULL.
 * Answers 1 where there is one; 0: the query went by key, or there is no such row.
 *
 * Thread: any.
 */
SYNCSTORE_API
int32_t syncstore_rows_order_value(const syncstore_rows *rows,
                                   size_t place,
                                   syncstore_index_value *value,
                                   const char **text,
                                   size_t *len);

/**
 * Whether the limit cut the rows: 1 or 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
int32_t syncstore_rows_more(const syncstore_rows *rows);

/**
 * Where a query's rows go on that the limit cut off, for syncstore_query_resume(); NULL: these were the last, or are of a listing, which
 * resumes after its last key. Opaque bytes without a NUL behind them, which hold across changes and restarts, and contain
 * names of the item that they stand behind. They belong to the rows.
 *
 * len: takes how many bytes; 0 where there are none. May be NULL.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_rows_token(const syncstore_rows *rows,
                                 size_t *len);

/**
 * Whether the index that the query went by has all of its collection: 0 for an automatic one until syncstore_build_index() has
 * ended, and of NULL; else 1.
 *
 * Thread: any.
 */
SYNCSTORE_API
int32_t syncstore_rows_is_complete(const syncstore_rows *rows);

/**
 * Frees rows, and the texts of each. NULL is ignored.
 *
 * Thread: any; no other may be using these rows.
 */
SYNCSTORE_API
void syncstore_rows_free(syncstore_rows *rows);

/* ---------------------------------------------------------------
 * Queries
 *
 * Items of a collection by key, or by an index, a page at a time. A query is told what to read, and then run, any number of times; what
 * it is told twice holds as it was told last. All conditions hold together. Keys and ordering keys sort bytewise; an automatic
 * index in the order of its values: false, true; numbers; dates; texts.
 */

/** Is handed a row, whose texts are there until it answers. 0 goes on, any other number ends the query. */
typedef int32_t (*syncstore_row_callback)(void *user_data, const syncstore_row *row);

/**
 * Begins a query of a collection: all of its items by key, unless it is told otherwise.
 *
 * collection: the collection.
 * query: takes it; free it with syncstore_query_free().
 * Errors: SYNCSTORE_CLOSED.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_query_new(syncstore *store,
                                     const char *collection,
                                     syncstore_query **query,
                                     syncstore_error **error);

/**
 * Goes by the ordering keys of an index, ties by key; only items that are in it. The conditions then speak of ordering keys. The index
 * is the automatic one of that name (syncstore_declare_index()), if the collection has one, where an item stands once for each of its
 * values; otherwise that of the entries that were set (syncstore_set_index()).
 *
 * name: the index; NULL goes by key again.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_query_index(syncstore_query *query,
                                       const char *name,
                                       syncstore_error **error);

/**
 * Only those that begin so; texts.
 *
 * prefix, prefix_len: a text of so many bytes; NULL, and 0: any.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_query_prefix(syncstore_query *query,
                                        const char *prefix,
                                        size_t prefix_len,
                                        syncstore_error **error);

/**
 * The direction.
 *
 * reverse: 1: descending; 0: ascending.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_query_reverse(syncstore_query *query,
                                         int32_t reverse,
                                         syncstore_error **error);

/**
 * At most so many rows; syncstore_rows_token() tells where others begin.
 *
 * rows: how many; -1: all.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_query_limit(syncstore_query *query,
                                       int64_t rows,
                                       syncstore_error **error);

/**
 * Goes on behind the last row of an earlier page. The token is a place and nothing that is kept: what is not changed between two pages
 * comes exactly once; what is added, moved or removed comes where it is when its page is read.
 *
 * token, token_len: what syncstore_rows_token() answered; NULL, and 0: from the first row.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_query_resume(syncstore_query *query,
                                        const char *token,
                                        size_t token_len,
                                        syncstore_error **error);

/**
 * Leaves the values out, which is quicker: of an index nothing else is read.
 *
 * keys_only: 1: without values; 0: with them.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_query_keys_only(syncstore_query *query,
                                           int32_t keys_only,
                                           syncstore_error **error);

/**
 * Reads the rows, all as of one moment. No value is parsed.
 *
 * rows: takes them; free it with syncstore_rows_free().
 * Errors: SYNCSTORE_RESUME_TOKEN for a token that is none of such a query; SYNCSTORE_INDEX for a bound that is no text where there are
 * only texts; when the file cannot be read.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_query_run(syncstore_query *query,
                                     syncstore_rows **rows,
                                     syncstore_error **error);

/**
 * Hands each row to a callback as it is read, without a copy, until that breaks off or the limit is reached. All are as of one
 * moment, however long it takes; until then SQLite's log of writes grows.
 *
 * callback: called for each row, within this call; it may use the store.
 * user_data: what it is handed.
 * Errors: those of syncstore_query_run(). That the callback ended it is none.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_query_for_each(syncstore_query *query,
                                          syncstore_row_callback callback,
                                          void *user_data,
                                          syncstore_error **error);

/**
 * Frees a query. What it read stays to be freed. NULL is ignored.
 *
 * Thread: any; no other may be using this query.
 */
SYNCSTORE_API
void syncstore_query_free(syncstore_query *query);

/* ---------------------------------------------------------------
 * Bounds of queries
 *
 * "From" is the first that is read, and "to" the first that is not, whatever the direction. By key, and in an index whose entries are set by
 * hand, they are texts; of an automatic index they may be whatever stands in a value. Where only one is given, the query does not lead on
 * into values of another type than that. Each takes the place of the bound that was told before.
 */

/**
 * The first that is read is a text: a key, an ordering key, or a string in a value. In an index of dates it may be a date of RFC 3339.
 *
 * text, text_len: so many bytes; NULL, and 0: no bound.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_query_from_text(syncstore_query *query,
                                           const char *text,
                                           size_t text_len,
                                           syncstore_error **error);

/**
 * The first that is read is an integer.
 *
 * number: it.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_query_from_integer(syncstore_query *query,
                                              int64_t number,
                                              syncstore_error **error);

/**
 * The first that is read is an integer without a sign.
 *
 * number: it.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_query_from_unsigned(syncstore_query *query,
                                               uint64_t number,
                                               syncstore_error **error);

/**
 * The first that is read is a number. Infinities stand at the ends, and NaN behind all numbers.
 *
 * number: it.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_query_from_real(syncstore_query *query,
                                           double number,
                                           syncstore_error **error);

/**
 * The first that is read is false or true.
 *
 * value: 0 or 1.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_query_from_bool(syncstore_query *query,
                                           int32_t value,
                                           syncstore_error **error);

/**
 * The first that is read is an instant, in an index of dates.
 *
 * seconds: since the beginning of 1970 in UTC, rounded down. nanos: what is beyond them, below 1,000,000,000.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_query_from_instant(syncstore_query *query,
                                              int64_t seconds,
                                              uint32_t nanos,
                                              syncstore_error **error);

/**
 * The first that is not read is a text: a key, an ordering key, or a string in a value. In an index of dates it may be a date of RFC 3339.
 *
 * text, text_len: so many bytes; NULL, and 0: no bound.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_query_to_text(syncstore_query *query,
                                         const char *text,
                                         size_t text_len,
                                         syncstore_error **error);

/**
 * The first that is not read is an integer.
 *
 * number: it.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_query_to_integer(syncstore_query *query,
                                            int64_t number,
                                            syncstore_error **error);

/**
 * The first that is not read is an integer without a sign.
 *
 * number: it.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_query_to_unsigned(syncstore_query *query,
                                             uint64_t number,
                                             syncstore_error **error);

/**
 * The first that is not read is a number. Infinities stand at the ends, and NaN behind all numbers.
 *
 * number: it.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_query_to_real(syncstore_query *query,
                                         double number,
                                         syncstore_error **error);

/**
 * The first that is not read is false or true.
 *
 * value: 0 or 1.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_query_to_bool(syncstore_query *query,
                                         int32_t value,
                                         syncstore_error **error);

/**
 * The first that is not read is an instant, in an index of dates.
 *
 * seconds: since the beginning of 1970 in UTC, rounded down. nanos: what is beyond them, below 1,000,000,000.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_query_to_instant(syncstore_query *query,
                                            int64_t seconds,
                                            uint32_t nanos,
                                            syncstore_error **error);

/* ---------------------------------------------------------------
 * Index entries
 *
 * An index is an order of items other than that of their keys, for queries. It needs no declaration: it is there as soon as an item is in
 * it. An item has at most one entry in an index of a name. Entries travel to the server as operations, like values, and end with
 * their item.
 */

/**
 * Puts an item into an index at an ordering key, or moves it there.
 *
 * collection, key: the item.
 * name: the index. order: the ordering key. Each has 1 to 128 bytes.
 * op: takes the operation's ref; may be NULL.
 * Errors: SYNCSTORE_NO_ITEM, and those of syncstore_set(); then nothing was written.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_set_index(syncstore *store,
                                     const char *collection,
                                     const char *key,
                                     const char *name,
                                     const char *order,
                                     syncstore_ref *op,
                                     syncstore_error **error);

/**
 * Takes an item out of an index. It is an operation also where this replica has nothing to remove.
 *
 * collection, key: the item.
 * name: the index.
 * op: takes the operation's ref; may be NULL.
 * Errors: those of syncstore_delete(); then nothing was written.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_delete_index(syncstore *store,
                                        const char *collection,
                                        const char *key,
                                        const char *name,
                                        syncstore_ref *op,
                                        syncstore_error **error);

/**
 * The index entries of an item; none where there is no item.
 *
 * collection, key: the item.
 * entries: takes the list; free it with syncstore_index_entries_free().
 * Errors: when the file cannot be read.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_indexes(syncstore *store,
                                   const char *collection,
                                   const char *key,
                                   syncstore_index_entries **entries,
                                   syncstore_error **error);

/**
 * How many entries there are; of NULL 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
size_t syncstore_index_entries_count(const syncstore_index_entries *entries);

/**
 * The index of the entry at a place, from 0; NULL behind the last one. Belongs to the list.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_index_entries_name(const syncstore_index_entries *entries,
                                         size_t place);

/**
 * The ordering key of the entry at a place, from 0; NULL behind the last one. Belongs to the list.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_index_entries_order(const syncstore_index_entries *entries,
                                          size_t place);

/**
 * Frees a list of index entries. NULL is ignored.
 *
 * Thread: any; no other may be using this list.
 */
SYNCSTORE_API
void syncstore_index_entries_free(syncstore_index_entries *entries);

/* ---------------------------------------------------------------
 * Relations
 *
 * A relation leads from an item, its subject, to an object: the collection and the key of an item, which need not exist. Relations travel to
 * the server as operations, like values. They end with their subject, not with their object.
 */

/**
 * Relates an item, the subject, to an object, or changes that relation.
 *
 * collection, key: the subject.
 * id: names the relation among those of the subject; the host's choice.
 * predicate: what the object is to the subject.
 * object_collection, object_key: the object. Each name has 1 to 128 bytes.
 * op: takes the operation's ref; may be NULL.
 * Errors: SYNCSTORE_NO_ITEM, and those of syncstore_set(); then nothing was written.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_set_relation(syncstore *store,
                                        const char *collection,
                                        const char *key,
                                        const char *id,
                                        const char *predicate,
                                        const char *object_collection,
                                        const char *object_key,
                                        syncstore_ref *op,
                                        syncstore_error **error);

/**
 * Ends a relation. It is an operation also where this replica has nothing to remove.
 *
 * collection, key: the subject.
 * id: the relation.
 * op: takes the operation's ref; may be NULL.
 * Errors: those of syncstore_delete(); then nothing was written.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_delete_relation(syncstore *store,
                                           const char *collection,
                                           const char *key,
                                           const char *id,
                                           syncstore_ref *op,
                                           syncstore_error **error);

/**
 * The relations of an item as their subject, by id.
 *
 * collection, key: the subject.
 * predicate: only those of this one; NULL: all.
 * relations: takes the list, with the objects as items; free it with syncstore_relation_list_free().
 * Errors: when the file cannot be read.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_relations(syncstore *store,
                                     const char *collection,
                                     const char *key,
                                     const char *predicate,
                                     syncstore_relation_list **relations,
                                     syncstore_error **error);

/**
 * The relations that lead to an item as their object, by their subject and id. The object itself need not exist.
 *
 * collection, key: the object.
 * predicate: only those of this one; NULL: all.
 * relations: takes the list, with the subjects as items; free it with syncstore_relation_list_free().
 * Errors: when the file cannot be read.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_relations_to(syncstore *store,
                                        const char *collection,
                                        const char *key,
                                        const char *predicate,
                                        syncstore_relation_list **relations,
                                        syncstore_error **error);

/**
 * How many relations there are; of NULL 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
size_t syncstore_relation_list_count(const syncstore_relation_list *relations);

/**
 * The id of the relation at a place, from 0, among those of its subject; NULL behind the last one. Belongs to the list.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_relation_list_id(const syncstore_relation_list *relations,
                                       size_t place);

/**
 * The predicate of the relation at a place, from 0; NULL behind the last one. Belongs to the list.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_relation_list_predicate(const syncstore_relation_list *relations,
                                              size_t place);

/**
 * The collection of the item at the other end of the relation at a place, from 0: of the object in a list by syncstore_relations(), of the
 * subject in one by syncstore_relations_to(). NULL behind the last one. Belongs to the list.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_relation_list_collection(const syncstore_relation_list *relations,
                                               size_t place);

/**
 * The key of the item at the other end, like its collection. NULL behind the last one. Belongs to the list.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_relation_list_key(const syncstore_relation_list *relations,
                                        size_t place);

/**
 * Frees a list of relations. NULL is ignored.
 *
 * Thread: any; no other may be using this list.
 */
SYNCSTORE_API
void syncstore_relation_list_free(syncstore_relation_list *relations);

/* ---------------------------------------------------------------
 * Walks
 *
 * A walk goes from an item over relations, step by step along a path, the nearest items first. It is told its steps and bounds, and then run,
 * any number of times. Each item comes once for each place of the path at which it is reached, at its least depth, so rings end.
 */

/**
 * Begins a walk. It needs a step at least before it is run.
 *
 * collection, key: the item to begin at.
 * walk: takes it; free it with syncstore_walk_free().
 * Errors: SYNCSTORE_CLOSED.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_walk_new(syncstore *store,
                                    const char *collection,
                                    const char *key,
                                    syncstore_walk **walk,
                                    syncstore_error **error);

/**
 * Adds a step to the path: from subjects to their objects.
 *
 * predicate: over relations of this one.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_walk_forwards(syncstore_walk *walk,
                                         const char *predicate,
                                         syncstore_error **error);

/**
 * Adds a step to the path: from objects to their subjects.
 *
 * predicate: over relations of this one.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_walk_backwards(syncstore_walk *walk,
                                          const char *predicate,
                                          syncstore_error **error);

/**
 * So many steps at most. Beyond the end of the path it begins again: one step forwards by "in" with a depth of 9 finds what something is in,
 * what that is in, and so on.
 *
 * steps: how many; 0: once along the path, as long as nothing is said.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_walk_depth(syncstore_walk *walk,
                                      size_t steps,
                                      syncstore_error **error);

/**
 * At most so many items, the nearest; syncstore_related_items_more() tells whether there are others.
 *
 * items: how many; 0: 10,000, as long as nothing is said.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_walk_limit(syncstore_walk *walk,
                                      size_t items,
                                      syncstore_error **error);

/**
 * Whether the items come with their values.
 *
 * values: 1: with them; 0: without, as long as nothing is said.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_walk_values(syncstore_walk *walk,
                                       int32_t values,
                                       syncstore_error **error);

/**
 * Walks, all as of one moment. Objects that do not exist are reached like others, and lead nowhere but backwards.
 *
 * found: takes what it found, which is held in memory; free it with syncstore_related_items_free().
 * Errors: SYNCSTORE_MISUSE when it has no step; when the file cannot be read.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_walk_run(syncstore_walk *walk,
                                    syncstore_related_items **found,
                                    syncstore_error **error);

/**
 * Frees a walk. What it found stays to be freed. NULL is ignored.
 *
 * Thread: any; no other may be using this walk.
 */
SYNCSTORE_API
void syncstore_walk_free(syncstore_walk *walk);

/**
 * How many items were found; of NULL 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
size_t syncstore_related_items_count(const syncstore_related_items *found);

/**
 * The collection of the item at a place, from 0; NULL behind the last one. Belongs to what was found.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_related_items_collection(const syncstore_related_items *found,
                                               size_t place);

/**
 * The key of the item at a place, from 0; NULL behind the last one. Belongs to what was found.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_related_items_key(const syncstore_related_items *found,
                                        size_t place);

/**
 * After how many steps the item at a place was reached, from 1 up; 0 behind the last one.
 *
 * Thread: any.
 */
SYNCSTORE_API
size_t syncstore_related_items_depth(const syncstore_related_items *found,
                                     size_t place);

/**
 * The value of the item at a place: its JSON text, as stored, without a NUL behind it; NULL: no values were asked for, or there is no
 * such item. Belongs to what was found.
 *
 * len: takes how many bytes; 0 where there is none. May be NULL.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_related_items_value(const syncstore_related_items *found,
                                          size_t place,
                                          size_t *len);

/**
 * Whether the limit cut the walk: 1 or 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
int32_t syncstore_related_items_more(const syncstore_related_items *found);

/**
 * Frees what a walk found. NULL is ignored.
 *
 * Thread: any; no other may be using it.
 */
SYNCSTORE_API
void syncstore_related_items_free(syncstore_related_items *found);

/* ---------------------------------------------------------------
 * Tags
 *
 * Tags say who may see an item: a server shows it to credentials that have one of its tags. Adding or removing one that the credential has
 * not is rejected "forbidden" there.
 */

/**
 * Adds a tag to an item.
 *
 * collection, key: the item.
 * tag: the tag, 1 to 128 bytes.
 * op: takes the operation's ref; may be NULL.
 * Errors: SYNCSTORE_NO_ITEM, and those of syncstore_set(); then nothing was written.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_add_tag(syncstore *store,
                                   const char *collection,
                                   const char *key,
                                   const char *tag,
                                   syncstore_ref *op,
                                   syncstore_error **error);

/**
 * Removes a tag from an item. Whoever removes the last one by which it is seen sees it no longer: the next sync removes the item here.
 *
 * collection, key: the item.
 * tag: the tag.
 * op: takes the operation's ref; may be NULL.
 * Errors: those of syncstore_delete(); then nothing was written.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_remove_tag(syncstore *store,
                                      const char *collection,
                                      const char *key,
                                      const char *tag,
                                      syncstore_ref *op,
                                      syncstore_error **error);

/**
 * The tags of an item, in bytewise order.
 *
 * collection, key: the item.
 * tags: takes the list; free it with syncstore_names_free().
 * Errors: when the file cannot be read.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_tags(syncstore *store,
                                const char *collection,
                                const char *key,
                                syncstore_names **tags,
                                syncstore_error **error);

/* ---------------------------------------------------------------
 * Callbacks
 *
 * What a registration takes besides the callback itself: user_data, which every call of it gets, and destroy, which is called with it exactly once,
 * when there will be no further call, on whichever thread lets go last.
 */

/** Frees user_data, or does whatever else there is to do when no further call will get it. */
typedef void (*syncstore_destroy)(void *user_data);

/** Is told that there is something to take or to pump. It should do no more than wake an event loop. */
typedef void (*syncstore_wake)(void *user_data);

/** Is given each event, which is valid until it returns. */
typedef void (*syncstore_event_callback)(void *user_data, const syncstore_event *event);

/* ---------------------------------------------------------------
 * Watching
 *
 * A watcher collects which items change: by local writes, of any process that has the file open, and by what a sync brings. It tells of
 * what is committed alone, each item once, and says so when there was more than it could hold. It tells when it is asked; the events of a
 * store bring the same by a queue.
 */

/**
 * Which items to be told of; begin with SYNCSTORE_WATCH_OPTIONS_INIT. Of everything 0, or NULL, is the default: all of it, every item. The
 * texts are used during the call alone.
 */
typedef struct syncstore_watch_options {
  /** Set by SYNCSTORE_WATCH_OPTIONS_INIT. */
  size_t struct_size;
  /** Only items of this collection. Everything below but capacity needs it. */
  const char *collection;
  /** Only this item, whether there is one now or not. With none of the four below. */
  const char *key;
  /**
   * Only items that stand in this index, in the range that the three below make, and whenever one comes into it or leaves it; NULL: they
   * are about keys.
   */
  const char *index;
  /** Only keys, or ordering keys, that begin so. */
  const char *prefix;
  /**
   * Only this place and those behind it: JSON text of a string, or, of an automatic index, of a number, true or false, or a date
   * as {"seconds": s, "nanos": n}, since 1970 in UTC.
   */
  const char *from;
  /** Only places before this one; likewise. */
  const char *to;
  /**
   * How many items may have changed between two looks before it gives up and says SYNCSTORE_OVERFLOW_FULL. It holds their names, and no
   * values. Default: 4,096.
   */
  uint64_t capacity;
} syncstore_watch_options;

/** The defaults: syncstore_watch_options x = SYNCSTORE_WATCH_OPTIONS_INIT; */
#define SYNCSTORE_WATCH_OPTIONS_INIT { sizeof(syncstore_watch_options), 0, 0, 0, 0, 0, 0, 0 }

/** Why it is not known what changed: look at everything again. A later version may know others. */
typedef int32_t syncstore_overflow;

/** What became of an item. A later version may know others: look at the item then. */
typedef int32_t syncstore_change_kind;

/** Where a change came from. */
typedef int32_t syncstore_origin;

/** It has a value, another than before. Its index entries, relations and tags may be others, too. */
#define SYNCSTORE_CHANGE_SET 1

/** It is gone: it was deleted, or an own operation that made it was rejected. */
#define SYNCSTORE_CHANGE_DELETED 2

/** It is gone from this replica, since the user may not see it any more. It is not deleted. */
#define SYNCSTORE_CHANGE_REVOKED 3

/** Its value is as it was; index entries, relations or tags of it are others. */
#define SYNCSTORE_CHANGE_RESOURCES 4

/** A write to this replica, by any store that has its file open. */
#define SYNCSTORE_ORIGIN_LOCAL 1

/** The server: others' operations, or its rejection of an own one. */
#define SYNCSTORE_ORIGIN_REMOTE 2

/** It is known what changed. */
#define SYNCSTORE_OVERFLOW_NONE 0

/** More items changed than syncstore_watch_options.capacity. */
#define SYNCSTORE_OVERFLOW_FULL 1

/** Other processes changed more than the file keeps a trail of: some 4,096 items. */
#define SYNCSTORE_OVERFLOW_MISSED 2

/** A checkpoint took the place of everything, or the replica keeps more than before, or less. */
#define SYNCSTORE_OVERFLOW_RELOADED 3

/** The index that is watched was declared, dropped, or built to its end. */
#define SYNCSTORE_OVERFLOW_REINDEXED 4

/**
 * Begins to collect what changes. Read what there is now afterwards; what comes later is told.
 *
 * options: which items; NULL: every item.
 * wake: called each time that the watcher, having had nothing to tell, has something; may be NULL. It is called on the thread that commits, after the
 * commit and before the call that made it goes on: of a syncstore_set(), a sync, the background sync's. What other processes changed is found, and
 * told of, when something is written here or another watcher is asked. It may call everything but what syncs or waits for an operation. One that
 * another thread is about to make may still come after the watcher was freed.
 * user_data, destroy: see there; destroy may be NULL.
 * watcher: takes it; free it with syncstore_watcher_free().
 * Errors: SYNCSTORE_BUSY, SYNCSTORE_DISK_FULL, SYNCSTORE_STORAGE, since it needs to write for a moment.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_watch(syncstore *store,
                                 const syncstore_watch_options *options,
                                 syncstore_wake wake,
                                 void *user_data,
                                 syncstore_destroy destroy,
                                 syncstore_watcher **watcher,
                                 syncstore_error **error);

/**
 * Takes what changed since this was called last, or since the watcher began; then the watcher has it no longer.
 *
 * changes: takes the list, empty when nothing changed; free it with syncstore_changes_free().
 * Errors: when the file cannot be read; nothing is lost then.
 *
 * Thread: any. It may wait for a commit that another thread is making.
 */
SYNCSTORE_API
syncstore_status syncstore_watcher_take(syncstore_watcher *watcher,
                                        syncstore_changes **changes,
                                        syncstore_error **error);

/**
 * Frees a watcher, which ends it. NULL is ignored.
 *
 * Thread: any; no other may be using this watcher.
 */
SYNCSTORE_API
void syncstore_watcher_free(syncstore_watcher *watcher);

/**
 * How many items changed; 0 where that is not known, and of NULL.
 *
 * Thread: any.
 */
SYNCSTORE_API
size_t syncstore_changes_count(const syncstore_changes *changes);

/**
 * Why it is not known what changed; SYNCSTORE_OVERFLOW_NONE: it is.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_overflow syncstore_changes_overflow(const syncstore_changes *changes);

/**
 * The change at a place, from 0, in the order in which each item first changed; NULL behind the last one. Belongs to the list.
 *
 * Thread: any.
 */
SYNCSTORE_API
const syncstore_change *syncstore_changes_at(const syncstore_changes *changes,
                                             size_t place);

/**
 * Frees a list of changes. NULL is ignored.
 *
 * Thread: any; no other may be using this list.
 */
SYNCSTORE_API
void syncstore_changes_free(syncstore_changes *changes);

/**
 * The item's collection; of NULL NULL. Belongs to the change.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_change_collection(const syncstore_change *change);

/**
 * The item's key; of NULL NULL. Belongs to the change.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_change_key(const syncstore_change *change);

/**
 * What became of the item, all changes since the last look together; of NULL 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_change_kind syncstore_change_kind_of(const syncstore_change *change);

/**
 * Where the change came from; of NULL 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_origin syncstore_change_origin(const syncstore_change *change);

/**
 * The operation that changed the item last: one that was written, or that the server committed, or an own one that it rejected.
 *
 * op: where to put it; it is zeroed where there is none. NULL only asks whether there is one.
 * Answers 1 where there is one, else 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
int32_t syncstore_change_ref(const syncstore_change *change,
                             syncstore_ref *op);

/* ---------------------------------------------------------------
 * What an operation does, and to what
 */

/** What an operation does. */
typedef int32_t syncstore_op_kind;

/** What of an item an operation, or a conflict, is on. */
typedef int32_t syncstore_resource;

/** Replaces the whole value, or creates the item; or sets an index entry, a relation, a tag. */
#define SYNCSTORE_OP_SET 1

/** Applies a JSON Patch (RFC 6902) to the value. */
#define SYNCSTORE_OP_PATCH 2

/** Removes the item, or the index entry, relation or tag. */
#define SYNCSTORE_OP_DELETE 3

/** Its value, or the item as a whole. */
#define SYNCSTORE_RESOURCE_VALUE 1

/** Its entry in an index. */
#define SYNCSTORE_RESOURCE_INDEX 2

/** A relation of it. */
#define SYNCSTORE_RESOURCE_RELATION 3

/** A tag of it. */
#define SYNCSTORE_RESOURCE_TAG 4

/* ---------------------------------------------------------------
 * What a background sync is at
 */

/** What a background sync is at. A later version may know others. */
typedef int32_t syncstore_sync_state;

/** It does not run: never started, or stopped. */
#define SYNCSTORE_SYNC_STOPPED 1

/** All is well: what was written went, or goes in a moment, and news is waited for. */
#define SYNCSTORE_SYNC_IDLE 2

/** Operations are on their way to the server. */
#define SYNCSTORE_SYNC_PUSHING 3

/** The server's log is read. */
#define SYNCSTORE_SYNC_PULLING 4

/** A checkpoint is loaded; the status has how far that has come. */
#define SYNCSTORE_SYNC_BOOTSTRAPPING 5

/** The server could not be reached, or could not take the request; it is tried again. */
#define SYNCSTORE_SYNC_OFFLINE 6

/** Another store, perhaps of another process, syncs this file; what it brings shows here too. Taking over is tried again and again. */
#define SYNCSTORE_SYNC_ELSEWHERE 7

/** Paused by the program, until it resumes. */
#define SYNCSTORE_SYNC_PAUSED 8

/** The server refused the credential, a fresh one too. A changed credential goes on. */
#define SYNCSTORE_SYNC_NEEDS_CREDENTIAL 9

/** An error that does not pass by itself; the status says which. */
#define SYNCSTORE_SYNC_FAILED 10

/**
 * Which of the constants it is; of NULL 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_sync_state syncstore_sync_status_state(const syncstore_sync_status *status);

/**
 * In how many milliseconds it tries again, from when the status was asked for; -1: it is at it, waits for news, or is stopped or paused.
 *
 * Thread: any.
 */
SYNCSTORE_API
int64_t syncstore_sync_status_next_try_ms(const syncstore_sync_status *status);

/**
 * Of SYNCSTORE_SYNC_BOOTSTRAPPING, how many items are loaded; else 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
uint64_t syncstore_sync_status_loaded(const syncstore_sync_status *status);

/**
 * Of SYNCSTORE_SYNC_BOOTSTRAPPING, how many items there were when the checkpoint was made; else 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
uint64_t syncstore_sync_status_total(const syncstore_sync_status *status);

/**
 * The last failure, while it lasts, in English; NULL: there is none. No credential is in it. Belongs to the status.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_sync_status_error(const syncstore_sync_status *status);

/* ---------------------------------------------------------------
 * Events
 *
 * What a store tells, in one bounded queue, until the program has it handed out on a thread of its own choice: what changes of items, after
 * syncstore_events_subscribe(); what became of operations and of conflicts; what the background sync is at; lines for a log.
 * Call syncstore_events_pump() when wake says so, on a timer, or with each frame.
 */

/** What to be told, and how much to hold; begin with SYNCSTORE_EVENT_OPTIONS_INIT. Of everything 0 is the default. */
typedef struct syncstore_event_options {
  /** Set by SYNCSTORE_EVENT_OPTIONS_INIT. */
  size_t struct_size;
  /** The level down to which log lines are told, SYNCSTORE_LOG_NONE for none. Default: SYNCSTORE_LOG_WARN. */
  int64_t log_level;
  /** The most settled operations that are held; of more, their number is. -1: none are told. Default: 1,024. */
  int64_t outcomes;
  /** The most news of conflicts that are held; of more, their number is. -1: none are told. Default: 256. */
  int64_t conflicts;
  /** The most log lines that are held; of more, their number is. Default: 256. */
  int64_t log_lines;
} syncstore_event_options;

/** The defaults: syncstore_event_options x = SYNCSTORE_EVENT_OPTIONS_INIT; */
#define SYNCSTORE_EVENT_OPTIONS_INIT { sizeof(syncstore_event_options), 0, 0, 0, 0 }

/** How much a log line matters. */
typedef int32_t syncstore_log_level;

/** No lines; for syncstore_event_options.log_level alone. */
#define SYNCSTORE_LOG_NONE (-1)

/** Somebody has to do something. */
#define SYNCSTORE_LOG_ERROR 1

/** It will pass, or is made good. */
#define SYNCSTORE_LOG_WARN 2

/** What happened. */
#define SYNCSTORE_LOG_INFO 3

/** Each step. */
#define SYNCSTORE_LOG_DEBUG 4

/**
 * Begins to listen.
 *
 * options: what to be told; NULL is the default.
 * wake: called each time that the queue was empty and is not any more, exactly once, on whichever thread tells: one that writes or syncs, the
 * background sync's; may be NULL. It may call everything, close and free included, but what syncs or waits for an operation. One that
 * another thread is about to make may still come after the events were freed.
 * user_data, destroy: see there; destroy may be NULL.
 * events: takes them; free them with syncstore_events_free().
 * Errors: SYNCSTORE_MISUSE.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_events_new(syncstore *store,
                                      const syncstore_event_options *options,
                                      syncstore_wake wake,
                                      void *user_data,
                                      syncstore_destroy destroy,
                                      syncstore_events **events,
                                      syncstore_error **error);

/**
 * Tells what changes of some items from now on. What other processes change is told when the background sync looks, or, without
 * it, at each pump.
 *
 * options: which items; NULL: every item.
 * subscription: takes its number, which no other of the store has, and which is never 0.
 * Errors: SYNCSTORE_BUSY, SYNCSTORE_DISK_FULL, SYNCSTORE_STORAGE, since it needs to write for a moment.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_events_subscribe(syncstore_events *events,
                                            const syncstore_watch_options *options,
                                            uint64_t *subscription,
                                            syncstore_error **error);

/**
 * Ends a subscription; nothing of it is told any more, not even what is in the queue.
 *
 * Answers SYNCSTORE_NOT_FOUND where there is none of that number.
 * Errors: SYNCSTORE_CLOSED.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_events_unsubscribe(syncstore_events *events,
                                              uint64_t subscription,
                                              syncstore_error **error);

/**
 * Hands out what there is, in order: calls the callback for each event, on this thread. Does not wait for any.
 *
 * max: the most events.
 * budget_ms: no further event is handed out once so many milliseconds are over; 0: one event at most; -1: time alone ends nothing.
 * callback: called with each event, which is valid until it returns. It may call everything of the library: write, sync, pump, subscribe, close and free the
 * store and these events. After it has closed the store, or freed the store or the events, nothing more is handed out.
 * user_data: given to the callback.
 * pumped: takes how many were handed out; also where an error came behind them. May be NULL.
 * more: takes 1 where there are more, for which no wake comes, else 0. May be NULL.
 * Errors: SYNCSTORE_CLOSED; when the file cannot be read to find out what changed: nothing is lost then, pump again.
 *
 * Thread: any, several at a time too.
 */
SYNCSTORE_API
syncstore_status syncstore_events_pump(syncstore_events *events,
                                       size_t max,
                                       int64_t budget_ms,
                                       syncstore_event_callback callback,
                                       void *user_data,
                                       size_t *pumped,
                                       int32_t *more,
                                       syncstore_error **error);

/**
 * Waits until there is something to pump. Closing the store ends it.
 *
 * at_most_ms: the longest, in milliseconds; 0: not at all, -1: without an end. It may come back early.
 * Answers SYNCSTORE_NOTHING_TO_PUMP where there is nothing still.
 * Errors: SYNCSTORE_CLOSED.
 *
 * Thread: any; waits.
 */
SYNCSTORE_API
syncstore_status syncstore_events_wait(syncstore_events *events,
                                       int64_t at_most_ms,
                                       syncstore_error **error);

/**
 * A file descriptor that is readable as long as there is something to pump, for poll() and its like. Nothing may be read from it:
 * syncstore_events_pump() does that. It is the caller's, to be closed by close(), and each call answers another one.
 *
 * descriptor: takes it; else it is 0, which is none.
 * Errors: SYNCSTORE_NO_DESCRIPTOR when the process has none left, and always where the system is no Unix.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_events_descriptor(syncstore_events *events,
                                             int32_t *descriptor,
                                             syncstore_error **error);

/**
 * Frees events, and what they hold; ends their subscriptions. NULL is ignored.
 *
 * Thread: any; no other may be using these events. Their own callback may free them.
 */
SYNCSTORE_API
void syncstore_events_free(syncstore_events *events);

/* ---------------------------------------------------------------
 * An event
 *
 * It is valid until the callback that got it returns, with all that its getters answer. A getter that does not go with the event's kind answers 0 or
 * NULL.
 */

/** What an event tells. A later version may know others: ignore them. */
typedef int32_t syncstore_event_kind;

/** What became of a conflict. A later version may know others. */
typedef int32_t syncstore_conflict_news;

/** How a conflict ended. A later version may know others. */
typedef int32_t syncstore_ending;

/** What was not told, so that a program can look itself. A later version may know others. */
typedef int32_t syncstore_missed;

/** An item that a subscription is about reads otherwise than before: syncstore_event_subscription(), syncstore_event_change(). */
#define SYNCSTORE_EVENT_CHANGED 1

/**
 * More changed than a subscription can tell, look at everything that it is about again: syncstore_event_subscription(),
 * syncstore_event_overflow().
 */
#define SYNCSTORE_EVENT_OVERFLOWED 2

/**
 * An operation is settled, accepted, rejected or withdrawn: syncstore_event_ref(), syncstore_event_outcome(). Told once for each; not of one that was folded into
 * another, nor when a rejected one is retried or discarded.
 */
#define SYNCSTORE_EVENT_SETTLED 3

/** Something became of a conflict: syncstore_event_conflict_id(), syncstore_event_conflict_news(), and which item. */
#define SYNCSTORE_EVENT_CONFLICT 4

/** The background sync is at something else: syncstore_event_status(). Of several in a row that nobody has looked at, the last one is told. */
#define SYNCSTORE_EVENT_STATUS 5

/** Something to write into a log: syncstore_event_log_level(), syncstore_event_log_line(). */
#define SYNCSTORE_EVENT_LOG 6

/** There was more than is told: syncstore_event_missed(), syncstore_event_missed_count(). */
#define SYNCSTORE_EVENT_MISSED 7

/** A sync found it: once for each conflict. */
#define SYNCSTORE_CONFLICT_BEGUN 1

/** The program has to decide it, if anybody is to: there is no resolver, or that has left it open, or failed. */
#define SYNCSTORE_CONFLICT_NEEDS_DECIDING 2

/** It is over: syncstore_event_conflict_ending(). */
#define SYNCSTORE_CONFLICT_ENDED 3

/** It is open. */
#define SYNCSTORE_ENDING_NONE 0

/** Resolved: what was read then stands. */
#define SYNCSTORE_ENDING_KEPT_REBASED 1

/** Resolved: theirs stands. */
#define SYNCSTORE_ENDING_TOOK_THEIRS 2

/** Resolved: ours stands. */
#define SYNCSTORE_ENDING_KEPT_OURS 3

/** Resolved: a merged value stands. */
#define SYNCSTORE_ENDING_MERGED 4

/** The server rejected this replica's side of it: it is a rejection now. */
#define SYNCSTORE_ENDING_REJECTED 5

/**
 * The item is gone from what this replica may see, and nothing of it is kept; or it is deleted, by whomever, and with it the index entry, the relation or the
 * tag that the conflict was on.
 */
#define SYNCSTORE_ENDING_GONE 6

/** So many operations were settled besides those that were told: look at their outcomes, and at the rejections. */
#define SYNCSTORE_MISSED_OUTCOMES 1

/** Operations may have been settled by another process, or undone by a restored server, and conflicts may have begun. Likewise. */
#define SYNCSTORE_MISSED_OUTCOMES_UNCOUNTED 2

/** So much became of conflicts besides what was told: look at the conflicts. */
#define SYNCSTORE_MISSED_CONFLICTS 3

/** So many lines. */
#define SYNCSTORE_MISSED_LOG_LINES 4

/**
 * Which of the constants it is; of NULL 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_event_kind syncstore_event_kind_of(const syncstore_event *event);

/**
 * The subscription that it is for.
 *
 * Thread: any.
 */
SYNCSTORE_API
uint64_t syncstore_event_subscription(const syncstore_event *event);

/**
 * Which item changed, and how. Belongs to the event.
 *
 * Thread: any.
 */
SYNCSTORE_API
const syncstore_change *syncstore_event_change(const syncstore_event *event);

/**
 * Why it is not known what changed.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_overflow syncstore_event_overflow(const syncstore_event *event);

/**
 * The operation that is settled.
 *
 * op: where to put it; it is zeroed where there is none. NULL only asks whether there is one.
 * Answers 1 where there is one, else 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
int32_t syncstore_event_ref(const syncstore_event *event, syncstore_ref *op);

/**
 * What became of the operation. Belongs to the event: it is not freed.
 *
 * Thread: any.
 */
SYNCSTORE_API
const syncstore_outcome *syncstore_event_outcome(const syncstore_event *event);

/**
 * The conflict, for syncstore_conflict_id().
 *
 * Thread: any.
 */
SYNCSTORE_API
uint64_t syncstore_event_conflict_id(const syncstore_event *event);

/**
 * What became of the conflict.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_conflict_news syncstore_event_conflict_news(const syncstore_event *event);

/**
 * How the conflict ended; SYNCSTORE_ENDING_NONE: it has not.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_ending syncstore_event_conflict_ending(const syncstore_event *event);

/**
 * The collection of the conflict's item. Belongs to the event.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_event_conflict_collection(const syncstore_event *event);

/**
 * The key of the conflict's item. Belongs to the event.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_event_conflict_key(const syncstore_event *event);

/**
 * What of its item the conflict is on.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_resource syncstore_event_conflict_resource(const syncstore_event *event);

/**
 * The name of the index, the relation or the tag that the conflict is on; NULL: it is on the value. Belongs to the event.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_event_conflict_resource_name(const syncstore_event *event);

/**
 * What the background sync is at. Belongs to the event: it is not freed.
 *
 * Thread: any.
 */
SYNCSTORE_API
const syncstore_sync_status *syncstore_event_status(const syncstore_event *event);

/**
 * How much the log line matters.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_log_level syncstore_event_log_level(const syncstore_event *event);

/**
 * The log line, in English. It holds no secret, and no value of an item. Belongs to the event.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_event_log_line(const syncstore_event *event);

/**
 * What was not told.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_missed syncstore_event_missed(const syncstore_event *event);

/**
 * How much was not told; 0: it was not counted.
 *
 * Thread: any.
 */
SYNCSTORE_API
uint64_t syncstore_event_missed_count(const syncstore_event *event);

/* ---------------------------------------------------------------
 * Lists of refs
 */

/**
 * How many refs there are; of NULL 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
size_t syncstore_refs_count(const syncstore_refs *refs);

/**
 * The ref at a place, from 0.
 *
 * op: where to put it; it is zeroed where there is none. NULL only asks whether there is one.
 * Answers 1 where there is one, else 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
int32_t syncstore_refs_at(const syncstore_refs *refs,
                          size_t place,
                          syncstore_ref *op);

/**
 * Frees a list of refs. NULL is ignored.
 *
 * Thread: any; no other may be using this list.
 */
SYNCSTORE_API
void syncstore_refs_free(syncstore_refs *refs);

/* ---------------------------------------------------------------
 * Conflicts
 *
 * Another client changed what an operation of this replica was pending on: the sides of it. Nothing waits for a conflict: what is read is rebased, what
 * is pending is pushed, and the server decides by its policy, whether anybody resolves it or not. Sides are JSON texts of the part of the item that both are on:
 * its value, {"order"} of an index entry, {"predicate", "object"} of a relation, {} of a tag; NULL: there it is absent.
 */

/** What to make of a conflict. */
typedef int32_t syncstore_resolution;

/** Which side stands where both changed the same thing. */
typedef int32_t syncstore_prefer;

/** Nothing now: it stays open. For a resolver's answer alone. */
#define SYNCSTORE_RESOLUTION_LEAVE_OPEN 0

/** What is read now is right. Nothing is written; what was never sent goes as made in knowledge of theirs. */
#define SYNCSTORE_RESOLUTION_KEEP_REBASED 1

/** The remote side is right. */
#define SYNCSTORE_RESOLUTION_TAKE_THEIRS 2

/** The local side is right. */
#define SYNCSTORE_RESOLUTION_KEEP_OURS 3

/** The value that is given is right. It takes the place of the whole part, in the form that the sides have. */
#define SYNCSTORE_RESOLUTION_MERGED 4

/** What this replica wrote. */
#define SYNCSTORE_PREFER_OURS 1

/** What others wrote. */
#define SYNCSTORE_PREFER_THEIRS 2

/**
 * The open conflicts, the oldest first. There is one for each value, index entry, relation or tag, however often either side changes it; it stays
 * open, through restarts, until syncstore_resolve().
 *
 * list: takes them; free it with syncstore_conflict_list_free().
 * Errors: when the file cannot be read.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_conflicts(syncstore *store,
                                     syncstore_conflict_list **list,
                                     syncstore_error **error);

/**
 * The conflicts that have ended, the oldest first, without their sides: which, when, and how.
 *
 * list: takes them; free it with syncstore_conflict_list_free().
 * Errors: when the file cannot be read.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_ended_conflicts(syncstore *store,
                                           syncstore_conflict_list **list,
                                           syncstore_error **error);

/**
 * Resolves a conflict as it was listed. Operations on the same part that were never sent, and are in no batch, are withdrawn where the resolution is another than what
 * is read; what was sent stays, and one more operation follows it.
 *
 * conflict: the conflict, of a list that is not freed.
 * resolution: one of SYNCSTORE_RESOLUTION_..., but SYNCSTORE_RESOLUTION_LEAVE_OPEN.
 * json, json_len: for SYNCSTORE_RESOLUTION_MERGED the value, as JSON text of so many bytes; else NULL and 0.
 * op: takes the ref of the operation that was written, zeros where none was needed; may be NULL.
 * Errors: SYNCSTORE_CONFLICT_MOVED when either side has changed, or it has ended, since it was listed; SYNCSTORE_LIMIT, SYNCSTORE_JSON for
 * a merged value that is none; SYNCSTORE_NO_ITEM for a part of an item that is gone; those of syncstore_set(). It is open then.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_resolve(syncstore *store,
                                   const syncstore_conflict *conflict,
                                   syncstore_resolution resolution,
                                   const char *json,
                                   size_t json_len,
                                   syncstore_ref *op,
                                   syncstore_error **error);

/**
 * Merges the sides of a conflict member by member: what one side alone changed stands. Goes through objects at any depth; arrays, texts, numbers, and
 * everything but values, are wholes.
 *
 * conflict: the conflict.
 * prefer: whose stands where both changed the same thing: SYNCSTORE_PREFER_OURS or SYNCSTORE_PREFER_THEIRS.
 * json: takes the merged value, for SYNCSTORE_RESOLUTION_MERGED; free it with syncstore_text_free().
 * Answers SYNCSTORE_NOT_FOUND where it is to be absent.
 * Errors: SYNCSTORE_MISUSE.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_conflict_merge(const syncstore_conflict *conflict,
                                          syncstore_prefer prefer,
                                          syncstore_text *json,
                                          syncstore_error **error);

/**
 * How many conflicts there are; of NULL 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
size_t syncstore_conflict_list_count(const syncstore_conflict_list *list);

/**
 * The conflict at a place, from 0; NULL behind the last one. Belongs to the list.
 *
 * Thread: any.
 */
SYNCSTORE_API
const syncstore_conflict *syncstore_conflict_list_at(const syncstore_conflict_list *list,
                                                     size_t place);

/**
 * Frees a list of conflicts. NULL is ignored.
 *
 * Thread: any; no other may be using this list.
 */
SYNCSTORE_API
void syncstore_conflict_list_free(syncstore_conflict_list *list);

/**
 * Names the conflict within its file; never given twice. Of NULL 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
uint64_t syncstore_conflict_id(const syncstore_conflict *conflict);

/**
 * The collection of its item; of NULL NULL. Belongs to the conflict.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_conflict_collection(const syncstore_conflict *conflict);

/**
 * The key of its item; of NULL NULL. Belongs to the conflict.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_conflict_key(const syncstore_conflict *conflict);

/**
 * What of its item both changed; of NULL 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_resource syncstore_conflict_resource(const syncstore_conflict *conflict);

/**
 * The name of the index, the relation or the tag that both changed; NULL: it is the value. Belongs to the conflict.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_conflict_resource_name(const syncstore_conflict *conflict);

/**
 * What was confirmed before theirs; it stays the first while more of theirs comes. Belongs to the conflict.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_conflict_base(const syncstore_conflict *conflict);

/**
 * What this replica read before theirs came, with what was written here since. Belongs to the conflict.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_conflict_local(const syncstore_conflict *conflict);

/**
 * What theirs made of it, with all that came of others since, and without what was written here. Belongs to the conflict.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_conflict_remote(const syncstore_conflict *conflict);

/**
 * What this replica reads now. Belongs to the conflict.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_conflict_view(const syncstore_conflict *conflict);

/**
 * When it was found, in milliseconds since 1970 by this device's clock.
 *
 * Thread: any.
 */
SYNCSTORE_API
uint64_t syncstore_conflict_opened_at(const syncstore_conflict *conflict);

/**
 * How it ended; SYNCSTORE_ENDING_NONE: it was open.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_ending syncstore_conflict_ending(const syncstore_conflict *conflict);

/**
 * When it ended, in milliseconds since 1970 by this device's clock; 0: it was open.
 *
 * Thread: any.
 */
SYNCSTORE_API
uint64_t syncstore_conflict_ended_at(const syncstore_conflict *conflict);

/**
 * The operation that was written to end it.
 *
 * op: where to put it; it is zeroed where there is none. NULL only asks whether there is one.
 * Answers 1 where there is one, else 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
int32_t syncstore_conflict_ref(const syncstore_conflict *conflict, syncstore_ref *op);

/* ---------------------------------------------------------------
 * Resolvers
 *
 * A resolver decides conflicts as syncs find them, for the stores that were opened with it (syncstore_options.resolver). It may be freed
 * once those are open; they keep what they need of it.
 */

/**
 * Decides a conflict: says what to make of it by syncstore_answer_resolve(), or that it cannot by syncstore_answer_fail(); where it says
 * nothing the conflict stays open.
 */
typedef void (*syncstore_resolver_callback)(void *user_data,
                                            const syncstore_conflict *conflict,
                                            syncstore_answer *answer);

/**
 * Makes a resolver of the program's own.
 *
 * callback: called after what a sync brought is stored, in no transaction: at the end of syncstore_sync() and its like on the thread that called; for the background
 * sync on a thread beside it, for which nothing waits. Several threads at a time may call it, but for each conflict one, and again when more of theirs came; after a failure the next
 * sync asks again. It may call everything of the library, and take its time. What a closed store asked is not heard any more.
 * user_data, destroy: see there; destroy is called when the resolver is freed, and the last store that was opened with it is closed; it may be NULL.
 * resolver: takes it; free it with syncstore_resolver_free().
 * Errors: SYNCSTORE_MISUSE.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_resolver_new(syncstore_resolver_callback callback,
                                        void *user_data,
                                        syncstore_destroy destroy,
                                        syncstore_resolver **resolver,
                                        syncstore_error **error);

/**
 * Makes a resolver that merges values member by member, like syncstore_conflict_merge().
 *
 * prefer: whose stands where both changed the same thing: SYNCSTORE_PREFER_OURS or SYNCSTORE_PREFER_THEIRS.
 * resolver: takes it; free it with syncstore_resolver_free().
 * Errors: SYNCSTORE_MISUSE.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_resolver_field_merge(syncstore_prefer prefer,
                                                syncstore_resolver **resolver,
                                                syncstore_error **error);

/**
 * Makes a resolver that takes the side that was written last, by a timestamp that the program keeps in each value. Numbers are compared as numbers, texts
 * bytewise; at the same time theirs stands. A conflict of anything but values, or where a side is absent or has no such member, stays open.
 *
 * pointer: the JSON Pointer (RFC 6901) of the member, such as "/updated_at".
 * resolver: takes it; free it with syncstore_resolver_free().
 * Errors: SYNCSTORE_MISUSE.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_resolver_last_writer(const char *pointer,
                                                syncstore_resolver **resolver,
                                                syncstore_error **error);

/**
 * Frees a resolver. Stores that were opened with it go on to ask it. NULL is ignored.
 *
 * Thread: any; no other may be using this resolver.
 */
SYNCSTORE_API
void syncstore_resolver_free(syncstore_resolver *resolver);

/**
 * Says what to make of the conflict. What is said last counts.
 *
 * answer: what the resolver's callback got.
 * resolution: one of SYNCSTORE_RESOLUTION_....
 * json, json_len: for SYNCSTORE_RESOLUTION_MERGED the value, as JSON text of so many bytes; else NULL and 0.
 * Errors: SYNCSTORE_JSON; SYNCSTORE_MISUSE. What was said before stands then.
 *
 * Thread: any, until the callback returns.
 */
SYNCSTORE_API
syncstore_status syncstore_answer_resolve(syncstore_answer *answer,
                                          syncstore_resolution resolution,
                                          const char *json,
                                          size_t json_len,
                                          syncstore_error **error);

/**
 * Says that the resolver failed: the conflict stays open, the program's log hears so, and the next sync asks again.
 *
 * answer: what the resolver's callback got.
 * message: why. It stays within the library: no log and no event has it, since it may hold what the item does.
 * Errors: SYNCSTORE_MISUSE.
 *
 * Thread: any, until the callback returns.
 */
SYNCSTORE_API
syncstore_status syncstore_answer_fail(syncstore_answer *answer,
                                       const char *message,
                                       syncstore_error **error);

/* ---------------------------------------------------------------
 * Rejections
 *
 * An operation that the server refused is no longer part of what is read, but is kept, with what was meant by it, until the program has dealt with it: makes
 * it again, as it was or edited, or lets it go. What stands in a list is as of the moment at which it was asked for.
 */

/**
 * Every rejected operation that waits to be dealt with, the oldest first.
 *
 * list: takes them; free it with syncstore_rejected_list_free().
 * Errors: when the file cannot be read.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_rejections(syncstore *store,
                                      syncstore_rejected_list **list,
                                      syncstore_error **error);

/**
 * Makes a rejected operation again, as it was, on top of what the store reads now. The outcome of the old one leads to the new one from then
 * on. Of a batch the whole is made again, as a new batch.
 *
 * op: the rejected operation.
 * made: takes the new operation's ref; may be NULL.
 * Errors: SYNCSTORE_NOT_REJECTED when it does not wait to be dealt with; SYNCSTORE_NO_ITEM and SYNCSTORE_PATCH_FAILED when it makes no sense on what
 * there is now; SYNCSTORE_LIMIT; those of syncstore_set(). Nothing was written then.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_retry(syncstore *store,
                                 const syncstore_ref *op,
                                 syncstore_ref *made,
                                 syncstore_error **error);

/**
 * Like syncstore_retry(), with a set of the item's value in the operation's place.
 *
 * op: the rejected operation, on the value of an item.
 * json, json_len: the value as JSON text of so many bytes.
 * made: takes the new operation's ref; may be NULL.
 * Errors: SYNCSTORE_EDIT_OF_ANOTHER_PART when it was on another part of the item; SYNCSTORE_JSON; those of syncstore_retry().
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_edit_set(syncstore *store,
                                    const syncstore_ref *op,
                                    const char *json,
                                    size_t json_len,
                                    syncstore_ref *made,
                                    syncstore_error **error);

/**
 * Like syncstore_retry(), with a JSON Patch of the item's value in the operation's place.
 *
 * op: the rejected operation, on the value of an item.
 * patch, patch_len: the patch, a JSON array, as text of so many bytes.
 * made: takes the new operation's ref; may be NULL.
 * Errors: those of syncstore_edit_set().
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_edit_patch(syncstore *store,
                                      const syncstore_ref *op,
                                      const char *patch,
                                      size_t patch_len,
                                      syncstore_ref *made,
                                      syncstore_error **error);

/**
 * Like syncstore_retry(), with a delete of what the operation was on in its place: the item, or its index entry, relation or tag.
 *
 * op: the rejected operation.
 * made: takes the new operation's ref; may be NULL.
 * Errors: those of syncstore_retry().
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_edit_delete(syncstore *store,
                                       const syncstore_ref *op,
                                       syncstore_ref *made,
                                       syncstore_error **error);

/**
 * Like syncstore_retry(), with a set of the index entry to another ordering key in the operation's place.
 *
 * op: the rejected operation, on an index entry.
 * order: the ordering key.
 * made: takes the new operation's ref; may be NULL.
 * Errors: those of syncstore_edit_set().
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_edit_order(syncstore *store,
                                      const syncstore_ref *op,
                                      const char *order,
                                      syncstore_ref *made,
                                      syncstore_error **error);

/**
 * Like syncstore_retry(), with another relation in the operation's place.
 *
 * op: the rejected operation, on a relation.
 * predicate: what the object is to the subject.
 * object_collection, object_key: the object.
 * made: takes the new operation's ref; may be NULL.
 * Errors: those of syncstore_edit_set().
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_edit_relation(syncstore *store,
                                         const syncstore_ref *op,
                                         const char *predicate,
                                         const char *object_collection,
                                         const char *object_key,
                                         syncstore_ref *made,
                                         syncstore_error **error);

/**
 * Lets a rejected operation go, and what was meant by it; of a batch all. Its outcome stays what it was.
 *
 * op: the rejected operation.
 * Answers SYNCSTORE_NOT_FOUND where it does not wait to be dealt with.
 * Errors: when the file cannot be written.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_discard(syncstore *store,
                                   const syncstore_ref *op,
                                   syncstore_error **error);

/**
 * The rejected operation that an operation was made of by syncstore_retry() or a syncstore_edit.
 *
 * op: the operation that was made.
 * rejected: takes the old one.
 * Answers SYNCSTORE_NOT_FOUND where it was not made so, or the old one is not known any more.
 * Errors: when the file cannot be read.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_retry_of(syncstore *store,
                                    const syncstore_ref *op,
                                    syncstore_ref *rejected,
                                    syncstore_error **error);

/**
 * The pending operations that depend on a pending one, in their order: as long as it is refused they are held back, and everything else
 * goes on. Empty: none does, or it is not pending.
 *
 * op: the pending operation.
 * refs: takes the list; free it with syncstore_refs_free().
 * Errors: when the file cannot be read.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_depends_on(syncstore *store,
                                      const syncstore_ref *op,
                                      syncstore_refs **refs,
                                      syncstore_error **error);

/**
 * Takes things that a program should learn of and that nobody has taken before: rejections, then conflicts, the oldest of each first. Each is handed out
 * once, whatever ends the process, and stays in syncstore_rejections() or syncstore_conflicts() until it is dealt with. Ask at the start, and whenever
 * an event tells of a rejection, a conflict, or something missed.
 *
 * most: how many at most.
 * notices: takes the list, empty where there is nothing; free it with syncstore_notices_free().
 * Errors: when the file cannot be written; then nothing was taken.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_take_notices(syncstore *store,
                                        size_t most,
                                        syncstore_notices **notices,
                                        syncstore_error **error);

/**
 * How many rejected operations there are; of NULL 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
size_t syncstore_rejected_list_count(const syncstore_rejected_list *list);

/**
 * The rejected operation at a place, from 0; NULL behind the last one. Belongs to the list.
 *
 * Thread: any.
 */
SYNCSTORE_API
const syncstore_rejected_op *syncstore_rejected_list_at(const syncstore_rejected_list *list,
                                                        size_t place);

/**
 * Frees a list of rejected operations. NULL is ignored.
 *
 * Thread: any; no other may be using this list.
 */
SYNCSTORE_API
void syncstore_rejected_list_free(syncstore_rejected_list *list);

/**
 * How many notices there are; of NULL 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
size_t syncstore_notices_count(const syncstore_notices *notices);

/**
 * The notice at a place, from 0, where it is a rejected operation; else NULL. Belongs to the list.
 *
 * Thread: any.
 */
SYNCSTORE_API
const syncstore_rejected_op *syncstore_notices_rejected(const syncstore_notices *notices,
                                                        size_t place);

/**
 * The notice at a place, from 0, where it is a conflict; else NULL. One that has ended meanwhile says so. Belongs to the list.
 *
 * Thread: any.
 */
SYNCSTORE_API
const syncstore_conflict *syncstore_notices_conflict(const syncstore_notices *notices,
                                                     size_t place);

/**
 * Frees a list of notices. NULL is ignored.
 *
 * Thread: any; no other may be using this list.
 */
SYNCSTORE_API
void syncstore_notices_free(syncstore_notices *notices);

/* ---------------------------------------------------------------
 * A rejected operation
 *
 * What was meant, what the server has now, and why, as of the moment at which the list was asked for. What a getter answers belongs to the
 * list.
 */

/**
 * The rejected operation's ref.
 *
 * op: where to put it; of NULL it is zeroed. May be NULL.
 * Answers 1; of NULL 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
int32_t syncstore_rejected_op_ref(const syncstore_rejected_op *rejected,
                                  syncstore_ref *op);

/**
 * The collection of its item; of NULL NULL. Belongs to the list.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_rejected_op_collection(const syncstore_rejected_op *rejected);

/**
 * The key of its item; of NULL NULL. Belongs to the list.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_rejected_op_key(const syncstore_rejected_op *rejected);

/**
 * What of its item it was on; of NULL 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_resource syncstore_rejected_op_resource(const syncstore_rejected_op *rejected);

/**
 * The name of the index, the relation or the tag that it was on; NULL: it was on the value. Belongs to the list.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_rejected_op_resource_name(const syncstore_rejected_op *rejected);

/**
 * What it was to do; of NULL 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_op_kind syncstore_rejected_op_kind(const syncstore_rejected_op *rejected);

/**
 * The JSON text of a set's value or a patch, or of what an index entry, {"order"}, or a relation, {"predicate", "object"}, was to be; NULL: it
 * has none. Belongs to the list.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_rejected_op_payload(const syncstore_rejected_op *rejected);

/**
 * The rev of the item that this replica had confirmed when the operation was made.
 *
 * base: where to put it; it is 0 where there is none. NULL only asks whether there is one.
 * Answers 1 where there is one, else 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
int32_t syncstore_rejected_op_base(const syncstore_rejected_op *rejected,
                                   uint64_t *base);

/**
 * The id of its batch, a UUID like a ref. None of the batch was done, and retrying or discarding one of its operations does so with all.
 *
 * batch: where to put it; it is zeroed where there is none. NULL only asks whether there is one.
 * Answers 1 where there is one, else 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
int32_t syncstore_rejected_op_batch(const syncstore_rejected_op *rejected,
                                    syncstore_ref *batch);

/**
 * What it was to be with the operation, as JSON text of what it was on: the value, {"order"} of an index entry, {"predicate", "object"} of a
 * relation, {} of a tag. NULL: gone, or not known. Belongs to the list.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_rejected_op_meant(const syncstore_rejected_op *rejected);

/**
 * What the server has there now, as far as this replica has pulled; likewise. NULL: nothing. Belongs to the list.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_rejected_op_present(const syncstore_rejected_op *rejected);

/**
 * Why it was rejected, as a word for a program, such as "stale" or "forbidden"; of NULL NULL. Belongs to the list.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_rejected_op_code(const syncstore_rejected_op *rejected);

/**
 * Why it was rejected, in the server's words; of NULL NULL. Belongs to the list.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_rejected_op_message(const syncstore_rejected_op *rejected);

/**
 * More on that, as JSON text whose shape depends on the code; NULL: there is none. Belongs to the list.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_rejected_op_detail(const syncstore_rejected_op *rejected);

/**
 * The rejection's place in the server's log; 0: it was refused without being recorded there.
 *
 * Thread: any.
 */
SYNCSTORE_API
uint64_t syncstore_rejected_op_seq(const syncstore_rejected_op *rejected);

/**
 * When this replica learned of it, in milliseconds since 1970 by this device's clock.
 *
 * Thread: any.
 */
SYNCSTORE_API
uint64_t syncstore_rejected_op_at(const syncstore_rejected_op *rejected);

/* ---------------------------------------------------------------
 * Cancelling
 *
 * Ends a call that is under way on another thread, and stays so for good: for the next call, make another one.
 */

/**
 * One that is not cancelled. Free it with syncstore_cancel_free(), also while a call that it was given to is under way.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_cancel *syncstore_cancel_new(void);

/**
 * Cancels: calls that it was given to end soon, with SYNCSTORE_CANCELLED, and later ones at once. It does not wait for them. The callback
 * `cancel` of a wire of the host's own is called within it. Any number of times; NULL is ignored.
 *
 * Thread: any.
 */
SYNCSTORE_API
void syncstore_cancel_cancel(syncstore_cancel *cancel);

/**
 * 1: it was cancelled; else, and of NULL, 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
int32_t syncstore_cancel_is_cancelled(const syncstore_cancel *cancel);

/**
 * Frees it, which cancels nothing. NULL is ignored.
 *
 * Thread: any; no other may begin a call with it any more.
 */
SYNCSTORE_API
void syncstore_cancel_free(syncstore_cancel *cancel);

/* ---------------------------------------------------------------
 * Credentials
 *
 * A credential that does not change is text in syncstore_http_options. One that does is asked of the host by a callback: before the first
 * request, and again when the server refuses the one at hand.
 */

/**
 * Fills in a credential, by one of syncstore_credential_bearer(), syncstore_credential_hmac(), syncstore_credential_none() and
 * syncstore_credential_fail(); none of them is a failure too.
 *
 * user_data: what was registered with it.
 * refresh: 0 before the first request. 1 after the server refused the last one: then a fresh one is wanted, and the one at hand again means that
 * there is none.
 * credential: what to fill in, until the callback comes back.
 *
 * It is called within calls that make a request, on their thread, and for the pages of a checkpoint that are fetched ahead on one beside it (no_prefetch of syncstore_options: none
 * are); of a background sync on one of the threads that make its requests. Of one wire never
 * twice at a time, and no time-out bounds it. It must not call that wire, nor sync over it, nor wait for whoever does.
 */
typedef void (*syncstore_credential_callback)(void *user_data,
                                              int32_t refresh,
                                              syncstore_credential *credential);

/**
 * A source of credentials that asks the host.
 *
 * callback: what is asked; it may not be NULL.
 * user_data, destroy: what the callback gets; destroy, which may be NULL, is called with it when the credentials were freed and no wire has them any more,
 * on whichever thread let go last.
 * credentials: takes the source; free it with syncstore_credentials_free().
 * Errors: SYNCSTORE_MISUSE.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_credentials_new(syncstore_credential_callback callback,
                                           void *user_data,
                                           void (*destroy)(void *user_data),
                                           syncstore_credentials **credentials,
                                           syncstore_error **error);

/**
 * Frees a source of credentials; wires that were made with it keep what they need. NULL is ignored.
 *
 * Thread: any; no other may be using this handle.
 */
SYNCSTORE_API
void syncstore_credentials_free(syncstore_credentials *credentials);

/**
 * Fills in a bearer token.
 *
 * token: visible ASCII; it is copied. One that cannot stand in a header fails the request with SYNCSTORE_SETUP.
 * Errors: SYNCSTORE_MISUSE, also where the credential was filled in before.
 *
 * Thread: any, while the callback runs.
 */
SYNCSTORE_API
syncstore_status syncstore_credential_bearer(syncstore_credential *credential,
                                             const char *token,
                                             syncstore_error **error);

/**
 * Fills in an application's key, with which each request is signed on behalf of a user; the secret is never sent.
 *
 * key, user, secret: they are copied; ASCII without control characters and quotes, but for the secret.
 * Errors: SYNCSTORE_MISUSE, also where the credential was filled in before.
 *
 * Thread: any, while the callback runs.
 */
SYNCSTORE_API
syncstore_status syncstore_credential_hmac(syncstore_credential *credential,
                                           const char *key,
                                           const char *user,
                                           const char *secret,
                                           syncstore_error **error);

/**
 * Says that requests go without a credential.
 *
 * Errors: SYNCSTORE_MISUSE, also where the credential was filled in before.
 *
 * Thread: any, while the callback runs.
 */
SYNCSTORE_API
syncstore_status syncstore_credential_none(syncstore_credential *credential,
                                           syncstore_error **error);

/**
 * Says that there is none now, and why: the request fails with SYNCSTORE_UNAUTHENTICATED.
 *
 * message: the first 400 characters come in the error's message: it must not hold a secret.
 * Errors: SYNCSTORE_MISUSE, also where the credential was filled in before.
 *
 * Thread: any, while the callback runs.
 */
SYNCSTORE_API
syncstore_status syncstore_credential_fail(syncstore_credential *credential,
                                           const char *message,
                                           syncstore_error **error);

/* ---------------------------------------------------------------
 * Wires
 *
 * A wire leads to one database of one server. This is the one over HTTP; syncstore_wire_custom() makes one of the host's own. A wire holds nothing of
 * a store: one may serve several, and be freed while they sync with it.
 */

/** The format of requests: a value of syncstore_http_options.format. */
typedef int32_t syncstore_format;

/** Whether bodies are compressed: a value of syncstore_http_options.compression. */
typedef int32_t syncstore_compression;

/**
 * How an HTTP wire connects; begin with SYNCSTORE_HTTP_OPTIONS_INIT. Of everything 0, or NULL, is the default. All of it is copied.
 *
 * Of bearer_token, the three of hmac and credentials at most one kind is set, and of hmac all three or none: anything else is SYNCSTORE_MISUSE. Without any, requests go without a
 * credential. No error has a credential, the value
 * of a header, or the proxy's password in it. Certificates are always verified, redirects never followed.
 */
typedef struct syncstore_http_options {
  /** Set by SYNCSTORE_HTTP_OPTIONS_INIT. */
  size_t struct_size;
  /** The format of requests, and the one asked for in answers. Default: SYNCSTORE_FORMAT_JSON. */
  syncstore_format format;
  /** Default: SYNCSTORE_COMPRESSION_AUTO. */
  syncstore_compression compression;
  /** A token that does not change: visible ASCII. */
  const char *bearer_token;
  /** The name of an application's key, with hmac_user and hmac_secret: each request is signed, the secret never sent. */
  const char *hmac_key;
  /** The user on whose behalf it signs. */
  const char *hmac_user;
  /** The key's secret. */
  const char *hmac_secret;
  /** Asks the host for credentials; it may be freed as soon as the wire is made. */
  const syncstore_credentials *credentials;
  /** A PEM file of the authorities to trust instead of the public ones; it is read once, now. */
  const char *ca_file;
  /**
   * The proxy to go through: http, https, socks4, socks4a or socks5, "://", and [user:password@]host[:port]. The environment's is not used. One that answers
   * CONNECT byte by byte is not held to the time-outs; cancelling ends such a call.
   */
  const char *proxy;
  /** The header User-Agent; "": none. Default: "syncstore/" and the version. */
  const char *user_agent;
  /** Further headers of every request: name, value, name, value, and so on, and NULL behind the last; at most 100. */
  const char *const *headers;
  /** Requests of at most so many bytes are not compressed. Default: 1,024. */
  uint64_t compress_above;
  /** The most bytes of an answer, once inflated. Default: 64 MiB. */
  uint64_t response_limit;
  /** The most bytes of an answer as they come. Default: 64 MiB. */
  uint64_t response_wire_limit;
  /** How long resolving the server's name may take, and after that connecting. Default: 10 seconds. */
  int64_t connect_timeout_ms;
  /** How long a request may take as a whole; what the server was let wait is added. Default: 60 seconds. */
  int64_t call_timeout_ms;
} syncstore_http_options;

/** The defaults: syncstore_http_options x = SYNCSTORE_HTTP_OPTIONS_INIT; */
#define SYNCSTORE_HTTP_OPTIONS_INIT { sizeof(syncstore_http_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/** What has gone over a wire since it was made. */
typedef struct syncstore_traffic {
  /** Bytes of request bodies as sent, compressed if they were. */
  uint64_t sent;
  /** Bytes of response bodies as received, compressed if they were. */
  uint64_t received;
  /** Requests that were answered or failed. */
  uint64_t round_trips;
} syncstore_traffic;

/** JSON. */
#define SYNCSTORE_FORMAT_JSON 0

/** MessagePack. */
#define SYNCSTORE_FORMAT_MESSAGE_PACK 1

/** Protocol Buffers, in a library that was built with the cargo feature protobuf; else SYNCSTORE_SETUP. */
#define SYNCSTORE_FORMAT_PROTOBUF 2

/** They are, but for a server on this machine. */
#define SYNCSTORE_COMPRESSION_AUTO 0

/** They are. */
#define SYNCSTORE_COMPRESSION_ON 1

/** They are not. */
#define SYNCSTORE_COMPRESSION_OFF 2

/**
 * A wire over HTTP/1.1, with or without TLS. It opens no connection; connections are kept open between calls.
 *
 * url: "http://host[:port]" or "https://host[:port]", with a path in front of /v1 where a proxy asks for one.
 * database: the database's name.
 * options: NULL is the default.
 * wire: takes the wire; free it with syncstore_wire_free().
 * Errors: SYNCSTORE_SETUP for a URL, a database's name or an option that cannot be used; SYNCSTORE_MISUSE.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_wire_http(const char *url,
                                     const char *database,
                                     const syncstore_http_options *options,
                                     syncstore_wire **wire,
                                     syncstore_error **error);

/**
 * What has gone over a wire since it was made.
 *
 * traffic: takes it.
 * Errors: SYNCSTORE_MISUSE.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_wire_traffic(const syncstore_wire *wire,
                                        syncstore_traffic *traffic,
                                        syncstore_error **error);

/**
 * Asks the server what the database takes; also the way to find out that URL, database and credential are right. Waits for the network.
 *
 * json: takes the answer of GET /v1/:db as JSON text; free it with syncstore_text_free().
 * Errors: those of the wire, SYNCSTORE_UNREACHABLE to SYNCSTORE_SETUP.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_wire_info(const syncstore_wire *wire,
                                     syncstore_text *json,
                                     syncstore_error **error);

/**
 * Frees a wire; a background sync that was started with it keeps what it needs. NULL is ignored.
 *
 * Thread: any; no other may begin a call with this wire any more.
 */
SYNCSTORE_API
void syncstore_wire_free(syncstore_wire *wire);

/* ---------------------------------------------------------------
 * Reports
 *
 * What one sync did. A call that failed has one too, since what it did before stands: ask its error for it, by syncstore_error_report().
 */

/** Why a replica was loaded from a checkpoint. A later version may know others. */
typedef int32_t syncstore_bootstrap;

/** It was not. */
#define SYNCSTORE_BOOTSTRAP_NONE 0

/** It was new. */
#define SYNCSTORE_BOOTSTRAP_FRESH 1

/** The server's log no longer reaches back to where it stood, or it may see other items now. */
#define SYNCSTORE_BOOTSTRAP_EXPIRED 2

/** The server's log was restored from an older backup. */
#define SYNCSTORE_BOOTSTRAP_REWOUND 3

/** It was not what the server's log makes: a restored or copied file, or a fault of the server. It has a new client id now. */
#define SYNCSTORE_BOOTSTRAP_DIVERGED 4

/**
 * Operations that the server took from this replica and answered, repeated ones included.
 *
 * Thread: any.
 */
SYNCSTORE_API
uint64_t syncstore_report_pushed(const syncstore_report *report);

/**
 * Operations that turned out accepted.
 *
 * Thread: any.
 */
SYNCSTORE_API
uint64_t syncstore_report_accepted(const syncstore_report *report);

/**
 * Operations that turned out rejected.
 *
 * Thread: any.
 */
SYNCSTORE_API
uint64_t syncstore_report_rejected(const syncstore_report *report);

/**
 * Operations that the server skipped when they were last offered: it has no room for them, or something on their item, or of their
 * batch, has to be decided first. They stay pending, and go again with the next push.
 *
 * Thread: any.
 */
SYNCSTORE_API
uint64_t syncstore_report_skipped(const syncstore_report *report);

/**
 * 1 where the server said, as it was last offered what waits, that the database has no room. After that only deletes were offered to it,
 * and the rest of batches that it had begun (everything, where a checkpoint is loaded); all else stays pending, too. Otherwise 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
int32_t syncstore_report_full(const syncstore_report *report);

/**
 * Entries of the server's log that were read, this replica's own included.
 *
 * Thread: any.
 */
SYNCSTORE_API
uint64_t syncstore_report_pulled(const syncstore_report *report);

/**
 * Items that came with a checkpoint.
 *
 * Thread: any.
 */
SYNCSTORE_API
uint64_t syncstore_report_loaded(const syncstore_report *report);

/**
 * Accepted operations that the server lost, because its log was restored from an older backup.
 *
 * Thread: any.
 */
SYNCSTORE_API
uint64_t syncstore_report_undone(const syncstore_report *report);

/**
 * Where the replica stands in the server's log.
 *
 * Thread: any.
 */
SYNCSTORE_API
uint64_t syncstore_report_position(const syncstore_report *report);

/**
 * Why the replica was loaded anew, if it was: which of the constants it is.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_bootstrap syncstore_report_bootstrapped(const syncstore_report *report);

/**
 * How many milliseconds the whole call took.
 *
 * Thread: any.
 */
SYNCSTORE_API
uint64_t syncstore_report_elapsed_ms(const syncstore_report *report);

/**
 * All of it as a JSON object: what the other getters tell, under their names, and widened, removed, bytes_sent, bytes_received, round_trips, retries,
 * diverged (what did not fit), push_ms and pull_ms. Later versions may have more members. Of NULL "". Belongs to the report.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_report_json(const syncstore_report *report);

/**
 * Frees a report. NULL is ignored.
 *
 * Thread: any; no other may be using this report.
 */
SYNCSTORE_API
void syncstore_report_free(syncstore_report *report);

/**
 * What a sync did before it failed.
 *
 * report: takes it, to be freed with syncstore_report_free(); NULL where there is none. It may be NULL, which only asks whether there is one.
 * Answers 1 where there is one, that is, of an error of syncstore_sync(), syncstore_push() or syncstore_pull() but SYNCSTORE_MISUSE and
 * SYNCSTORE_CLOSED; else 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
int32_t syncstore_error_report(const syncstore_error *error,
                               syncstore_report **report);

/* ---------------------------------------------------------------
 * Syncing on the calling thread
 *
 * Each call speaks with the server until it is done. Reads and writes of other threads go on meanwhile. A second call on a store waits for the first; another store
 * on the same file is told SYNCSTORE_SYNCED_ELSEWHERE. Whatever a call fails with, what it did stands, what it did not do stays queued, and calling
 * again goes on from there.
 */

/**
 * Tells how far the loading of a checkpoint has come, after each of its pages.
 *
 * user_data: what was given with it.
 * loaded: items loaded so far. total: items there were when the checkpoint was made.
 *
 * It is called within the call that it was given to, on its thread. It may do anything but sync the same store, which would wait for itself.
 */
typedef void (*syncstore_progress_callback)(void *user_data, uint64_t loaded, uint64_t total);

/**
 * Pushes everything that was queued when the call began, and pulls to the end of the server's log. Waits for the network.
 *
 * A new replica, and one whose place in the log is gone, is loaded from a checkpoint; what is queued stays queued through that.
 *
 * wire: leads to the server.
 * cancel: ends the call from another thread; NULL: only closing the store does. A wire with it opens connections of its own.
 * progress, user_data: told how far the loading of a checkpoint has come, during this call alone; progress may be NULL.
 * report: takes what it did, to be freed with syncstore_report_free(); may be NULL. Of a call that fails syncstore_error_report() has it.
 * Errors: SYNCSTORE_SYNCED_ELSEWHERE, SYNCSTORE_CANCELLED, SYNCSTORE_WRONG_DATABASE, SYNCSTORE_DIVERGED, SYNCSTORE_TOO_LARGE; SYNCSTORE_WITHIN_SYNC in a callback of a sync of the same
 * store, on that sync's thread; those of the wire, SYNCSTORE_UNREACHABLE to SYNCSTORE_SETUP, after the tries that the store's options allow; those of the file.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_sync(syncstore *store,
                                const syncstore_wire *wire,
                                const syncstore_cancel *cancel,
                                syncstore_progress_callback progress,
                                void *user_data,
                                syncstore_report **report,
                                syncstore_error **error);

/**
 * Pushes everything that was queued when the call began, each operation once. Waits for the network.
 *
 * Operations stay in the outbox until a pull has reached their place in the log; syncstore_outcome_of() tells what the server said. The first call of any kind on an open
 * store asks the server what it takes, before it pushes: of a wire of the host's own that is info, also where there is nothing to push.
 *
 * wire, cancel, report, errors: as with syncstore_sync().
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_push(syncstore *store,
                                const syncstore_wire *wire,
                                const syncstore_cancel *cancel,
                                syncstore_report **report,
                                syncstore_error **error);

/**
 * Pulls to the end of the server's log; a new replica, and one whose place in the log is gone, is loaded from a checkpoint, which pushes the
 * outbox too. Waits for the network.
 *
 * wire, cancel, progress, user_data, report, errors: as with syncstore_sync().
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_pull(syncstore *store,
                                const syncstore_wire *wire,
                                const syncstore_cancel *cancel,
                                syncstore_progress_callback progress,
                                void *user_data,
                                syncstore_report **report,
                                syncstore_error **error);

/**
 * Where the replica stands in the server's log: every entry at or below it is in what it reads; 0: nothing was read yet.
 *
 * seq: takes the place.
 * Errors: when the file cannot be read.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_position(syncstore *store,
                                    uint64_t *seq,
                                    syncstore_error **error);

/**
 * How far the loading of a checkpoint has come that is on its way or was interrupted.
 *
 * loaded: takes how many items are loaded; may be NULL.
 * total: takes how many there were when the checkpoint was made; may be NULL.
 * Answers SYNCSTORE_NOT_FOUND where none is on its way.
 * Errors: when the file cannot be read.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_bootstrap_progress(syncstore *store,
                                              uint64_t *loaded,
                                              uint64_t *total,
                                              syncstore_error **error);

/* ---------------------------------------------------------------
 * Syncing in the background
 *
 * A store that was started has a thread that syncs by itself: it pushes after a write, brings news as they come, and tries again what fails. Reads and writes
 * never wait for it.
 */

/** How a store syncs in the background; begin with SYNCSTORE_SYNC_POLICY_INIT. Of everything 0 is the default, which suits a desktop application. */
typedef struct syncstore_sync_policy {
  /** Set by SYNCSTORE_SYNC_POLICY_INIT. */
  size_t struct_size;
  /** How long after a write its push begins, so that writes close together go together. Default: 200 ms; -1: at once. */
  int64_t debounce_ms;
  /** The most that writes which go on and on can put a push off. Default: 2 seconds; -1: not at all. */
  int64_t longest_debounce_ms;
  /** How long the server may hold an answer until there is news, in whole seconds. Default: 25 seconds; -1: it is not let wait, but asked every pull_every_ms. */
  int64_t poll_ms;
  /** How often to pull where nothing is held. Default: 30 seconds. */
  int64_t pull_every_ms;
  /** The most that a try is put off after the first failure; it doubles with each further one. Default: 500 ms. */
  int64_t first_wait_ms;
  /** The most that a try is put off by failures alone. Default: 1 minute. */
  int64_t longest_wait_ms;
  /** Unsent operations are tried again after this time at the latest, whatever the last try ended with; a call of the wire that has not come back by then is given up. Default: 15 minutes. */
  int64_t backstop_ms;
  /** How often to look for what other processes did with the file. Default: 1 second. */
  int64_t look_every_ms;
} syncstore_sync_policy;

/** The defaults: syncstore_sync_policy x = SYNCSTORE_SYNC_POLICY_INIT; */
#define SYNCSTORE_SYNC_POLICY_INIT { sizeof(syncstore_sync_policy), 0, 0, 0, 0, 0, 0, 0, 0 }

/**
 * Syncs in the background from now on.
 *
 * It has one thread, and makes its requests and asks the resolver on up to three others (eight, where calls do not come back), which hold nothing of the store: a wire of the host's own, and its source of credentials, are
 * called there. syncstore_sync() and its like may be called all the same. It keeps other stores from syncing this file; where one does so already, it
 * takes over when that ends. syncstore_stop(), closing and freeing the store end it.
 *
 * wire: leads to the server; it may be freed at once.
 * policy: NULL is the default.
 * Errors: SYNCSTORE_ALREADY_STARTED, also while one that was told to stop has not ended; SYNCSTORE_STORAGE when the system gives it no thread. What fails later shows
 * in the status.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_start(syncstore *store,
                                 const syncstore_wire *wire,
                                 const syncstore_sync_policy *policy,
                                 syncstore_error **error);

/**
 * Ends the background sync: cuts off its requests, and waits for its thread up to a deadline. Nothing is lost. Where nothing runs, it answers
 * SYNCSTORE_STOPPED_ENTIRELY. It also ends every syncstore_wait() that is under way.
 *
 * The thread ends within milliseconds, whatever server and network do; only a long transaction takes its time. Within a callback on the thread of the background sync
 * itself it is SYNCSTORE_STOPPED_SOON.
 *
 * deadline_ms: how long to wait; 0: not at all.
 * how: takes what became of it; may be NULL.
 * Errors: SYNCSTORE_MISUSE.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_stop(syncstore *store,
                                int64_t deadline_ms,
                                syncstore_stopped *how,
                                syncstore_error **error);

/**
 * Makes no more requests until syncstore_resume(), cuts off those under way, and lets other stores sync the file. Does not wait.
 *
 * Errors: SYNCSTORE_MISUSE.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_pause(syncstore *store,
                                 syncstore_error **error);

/**
 * Goes on after syncstore_pause(), with a sync at once. Does not wait.
 *
 * Errors: SYNCSTORE_MISUSE.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_resume(syncstore *store, syncstore_error **error);

/**
 * Syncs at once in the background, whatever it waits for, but for syncstore_resume(): the network is back, the user pulled the list. Does not wait.
 *
 * Errors: SYNCSTORE_MISUSE.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_sync_now(syncstore *store,
                                    syncstore_error **error);

/**
 * Goes on where the credential was refused: the host has another one now, for which its callback is asked. Does not wait.
 *
 * Errors: SYNCSTORE_MISUSE.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_credential_changed(syncstore *store,
                                              syncstore_error **error);

/**
 * What the background sync is at, and when it goes on. Never waits.
 *
 * status: takes it; free it with syncstore_sync_status_free().
 * Errors: SYNCSTORE_MISUSE.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_sync_status_of(syncstore *store,
                                          syncstore_sync_status **status,
                                          syncstore_error **error);

/**
 * Frees a status. NULL is ignored.
 *
 * Thread: any; no other may be using this status.
 */
SYNCSTORE_API
void syncstore_sync_status_free(syncstore_sync_status *status);

/**
 * Waits until an operation is settled, for at most so long; what became of it, or where it stands when the time is over. Follows one that was folded into another,
 * or made again as another. It syncs nothing by itself. It holds no lock, so any number of threads may wait; a callback of something that syncs should not.
 * syncstore_stop() and closing the store end it, as if its time were over.
 *
 * op: the operation.
 * at_most_ms: how long; 0: not at all, -1: without an end.
 * outcome: takes it; free it with syncstore_outcome_free().
 * Answers SYNCSTORE_NOT_FOUND where this replica does not know the operation, or no longer.
 * Errors: SYNCSTORE_WITHIN_SYNC in a callback of a sync of the same store, on that sync's thread; when the file cannot be read.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_wait(syncstore *store,
                                const syncstore_ref *op,
                                int64_t at_most_ms,
                                syncstore_outcome **outcome,
                                syncstore_error **error);

/* ---------------------------------------------------------------
 * Calls over a wire of the host's own
 *
 * What such a wire is asked, and how it answers. Requests and answers are JSON texts in the shapes that docs/PROTOCOL.md has. A call is the library's: it is
 * good until the callback comes back, and so are the texts that its getters answer. It is answered once, by one of syncstore_wire_call_answer(),
 * syncstore_wire_call_refuse() and syncstore_wire_call_fail(); one that is not fails with SYNCSTORE_PROTOCOL, and is tried again like any
 * broken answer.
 */

/**
 * What is asked, as a JSON object: of a push its body; of a pull and a checkpoint the parameters of the query, by their names; of info {}. Of NULL "".
 *
 * Thread: any, while the callback runs.
 */
SYNCSTORE_API
const char *syncstore_wire_call_request(const syncstore_wire_call *call);

/**
 * What follows the database's URL when this is asked over HTTP, such as "/sync/inbox?client=7d3c...&limit=500"; of info "". A push is a POST of
 * syncstore_wire_call_request(), the others are a GET. Of NULL "".
 *
 * Thread: any, while the callback runs.
 */
SYNCSTORE_API
const char *syncstore_wire_call_target(const syncstore_wire_call *call);

/**
 * The replica that asks, a UUID; of info and of NULL it is NULL.
 *
 * Thread: any, while the callback runs.
 */
SYNCSTORE_API
const char *syncstore_wire_call_client(const syncstore_wire_call *call);

/**
 * Of a push and a pull, the replica's cursor, as the server made it; NULL: it has none, or something else is asked.
 *
 * Thread: any, while the callback runs.
 */
SYNCSTORE_API
const char *syncstore_wire_call_cursor(const syncstore_wire_call *call);

/**
 * Of a checkpoint, which page of it; NULL: it begins with one, or something else is asked.
 *
 * Thread: any, while the callback runs.
 */
SYNCSTORE_API
const char *syncstore_wire_call_page(const syncstore_wire_call *call);

/**
 * Of a pull the most entries, of a checkpoint the most items that the page may have; else 0.
 *
 * Thread: any, while the callback runs.
 */
SYNCSTORE_API
uint32_t syncstore_wire_call_limit(const syncstore_wire_call *call);

/**
 * Of a pull, how long the answer may be held while there is nothing new; else 0. A wire that does not hold it answers at once, and is asked again
 * every syncstore_sync_policy.pull_every_ms.
 *
 * Thread: any, while the callback runs.
 */
SYNCSTORE_API
int64_t syncstore_wire_call_wait_ms(const syncstore_wire_call *call);

/**
 * Of a push, how many operations it has; else 0.
 *
 * Thread: any, while the callback runs.
 */
SYNCSTORE_API
size_t syncstore_wire_call_op_count(const syncstore_wire_call *call);

/**
 * A member of an operation of a push, as the JSON text that stands there (a name with its quotes); equal names have equal texts.
 *
 * place: which operation, from 0.
 * member: such as "ref", "op", "collection", "key", "value", "base", "batch".
 * Answers NULL where there is no such member, or no such operation.
 *
 * Thread: any, while the callback runs.
 */
SYNCSTORE_API
const char *syncstore_wire_call_op_member(const syncstore_wire_call *call,
                                          size_t place,
                                          const char *member);

/**
 * 1: nobody waits for the answer any more, and the callback does well to come back; else, and of NULL, 0.
 *
 * Thread: any, while the callback runs.
 */
SYNCSTORE_API
int32_t syncstore_wire_call_is_cancelled(const syncstore_wire_call *call);

/**
 * Answers with the protocol's own answer to what is asked.
 *
 * json, json_len: the answer as JSON text, at most 64 MiB; it is read during the call.
 * Errors: SYNCSTORE_PROTOCOL when the text is no such answer, with which the call then fails, too; SYNCSTORE_MISUSE, also where the call was answered
 * before, which changes nothing.
 *
 * Thread: any, while the callback runs.
 */
SYNCSTORE_API
syncstore_status syncstore_wire_call_answer(syncstore_wire_call *call,
                                            const char *json,
                                            size_t json_len,
                                            syncstore_error **error);

/**
 * Answers with an HTTP status other than 200, as section 7 of docs/PROTOCOL.md has it: for a wire that speaks HTTP by other means, and one whose backend has a reason for
 * a program, such as a cursor that expired (410).
 *
 * http_status: 300 to 599.
 * problem, problem_len: the answer's problem document (RFC 9457) as JSON text; empty: it had none. One that is no such document counts as none.
 * retry_after_ms: how long the server asks to wait before the next try; -1: it does not say. No more than a day is heeded.
 * Errors: SYNCSTORE_MISUSE, also where the call was answered before, which changes nothing.
 *
 * Thread: any, while the callback runs.
 */
SYNCSTORE_API
syncstore_status syncstore_wire_call_refuse(syncstore_wire_call *call,
                                            int32_t http_status,
                                            const char *problem,
                                            size_t problem_len,
                                            int64_t retry_after_ms,
                                            syncstore_error **error);

/**
 * Answers that the call failed.
 *
 * status: SYNCSTORE_UNREACHABLE, SYNCSTORE_TIMED_OUT, SYNCSTORE_UNAVAILABLE or SYNCSTORE_PROTOCOL, after which it is tried again; SYNCSTORE_UNAUTHENTICATED, after which a
 * background sync waits for syncstore_credential_changed(); SYNCSTORE_FORBIDDEN, SYNCSTORE_REFUSED or SYNCSTORE_SETUP, which end the sync;
 * SYNCSTORE_CURSOR_EXPIRED and SYNCSTORE_CHECKPOINT_EXPIRED, after which the replica is loaded anew; SYNCSTORE_CANCELLED.
 * retry_after_ms: of SYNCSTORE_UNAVAILABLE, how long the server asks to wait before the next try; -1: it does not say. No more than a day is heeded.
 * message: why, for a developer; the first 400 characters come in the error's message: it must not hold a secret. NULL: no words.
 * Errors: SYNCSTORE_MISUSE, also where the call was answered before, which changes nothing.
 *
 * Thread: any, while the callback runs.
 */
SYNCSTORE_API
syncstore_status syncstore_wire_call_fail(syncstore_wire_call *call,
                                          syncstore_status status,
                                          int64_t retry_after_ms,
                                          const char *message,
                                          syncstore_error **error);

/* ---------------------------------------------------------------
 * Wires of the host's own
 *
 * Functions of the host carry requests to a backend of its own: over another HTTP client, a message queue, or a file.
 */

/**
 * Carries one call to the backend and back, and answers it before it comes back.
 *
 * user_data: what was registered with it.
 * call: what is asked, and what takes the answer.
 *
 * It blocks for as long as it takes. For one store there is one at a time, and beside it at most one pull with syncstore_wire_call_wait_ms(); a wire that serves several
 * stores is called by all of them at a time. syncstore_sync() and its like call it on their own thread, but for the page of a checkpoint that is
 * fetched ahead, which has a thread of its own; a background sync on its threads for requests, syncstore_wire_info() on its caller's. It tries once: trying again is the library's business, and whatever
 * was in flight when a call failed is repeated. info is asked before anything else, until it was answered once since the store was opened, and again when the server's log was
 * restored. It may call everything of the library but what waits for a sync of the same store.
 */
typedef void (*syncstore_wire_callback)(void *user_data, syncstore_wire_call *call);

/** The functions of a wire; begin with SYNCSTORE_WIRE_CALLBACKS_INIT. */
typedef struct syncstore_wire_callbacks {
  /** Set by SYNCSTORE_WIRE_CALLBACKS_INIT. */
  size_t struct_size;
  /** What each function gets. */
  void *user_data;
  /** Called with user_data when the wire was freed and nothing syncs over it any more, on whichever thread let go last; may be NULL. */
  void (*destroy)(void *user_data);
  /** What the database takes (section 6 of docs/PROTOCOL.md, GET /v1/:db). */
  syncstore_wire_callback info;
  /** Takes operations (section 3). */
  syncstore_wire_callback push;
  /** Reads the log from a cursor on (section 4). */
  syncstore_wire_callback pull;
  /** Reads a page of a checkpoint (section 5). */
  syncstore_wire_callback checkpoint;
  /**
   * Says that nobody waits for a call any more, on the thread that cancels, while the call's own function runs, or just before or after: it cuts that off, by the address of the call,
   * and must not wait. A function that can be cut off only once it has begun asks syncstore_wire_call_is_cancelled() then. May be NULL: a call then ends by itself, or asks so now and
   * then.
   */
  syncstore_wire_callback cancel;
} syncstore_wire_callbacks;

/** The defaults: syncstore_wire_callbacks x = SYNCSTORE_WIRE_CALLBACKS_INIT; */
#define SYNCSTORE_WIRE_CALLBACKS_INIT { sizeof(syncstore_wire_callbacks), 0, 0, 0, 0, 0, 0, 0 }

/**
 * A wire of the host's own.
 *
 * callbacks: what it is made of, which is copied; info, push, pull and checkpoint may not be NULL.
 * wire: takes the wire; free it with syncstore_wire_free().
 * Errors: SYNCSTORE_MISUSE; then destroy was called, but for a struct_size that is none.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_wire_custom(const syncstore_wire_callbacks *callbacks,
                                       syncstore_wire **wire,
                                       syncstore_error **error);

/* ---------------------------------------------------------------
 * Data of a server without a replica
 *
 * One database of one server, read and written directly: for a program that wants an item now. Each call is one request on the thread that calls; nothing is stored,
 * queued or repeated, and nothing works offline. What goes wrong before a write was sent, or is refused, changed nothing; SYNCSTORE_UNCONFIRMED alone
 * leaves it open.
 */

/**
 * Of SYNCSTORE_PRECONDITION_FAILED, and of a write that was rejected as stale, the item's present rev; else, and where there is no item, 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
uint64_t syncstore_error_rev(const syncstore_error *error);

/**
 * Of SYNCSTORE_REJECTED, why, as a word for a program, such as "stale" or "forbidden"; else NULL. Belongs to the error.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_error_rejection(const syncstore_error *error);

/**
 * Of a batch that was rejected, which of its writes is at fault, from 0; else -1.
 *
 * Thread: any.
 */
SYNCSTORE_API
int64_t syncstore_error_failed_write(const syncstore_error *error);

/**
 * Of a patch that was rejected, the JSON Pointer at which it failed; else NULL. Belongs to the error.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_error_patch_path(const syncstore_error *error);

/**
 * Of a patch that was rejected, which of its operations failed, from 0; else -1.
 *
 * Thread: any.
 */
SYNCSTORE_API
int64_t syncstore_error_patch_operation(const syncstore_error *error);

/**
 * Of SYNCSTORE_UNCONFIRMED, what happened instead of an answer, such as SYNCSTORE_TIMED_OUT; else SYNCSTORE_OK.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_error_cause(const syncstore_error *error);

/**
 * A database of a server. It opens no connection; connections are kept open between calls.
 *
 * url, database, options: as with syncstore_wire_http().
 * remote: takes the handle; free it with syncstore_remote_free().
 * Errors: SYNCSTORE_SETUP for a URL, a database's name or an option that cannot be used; SYNCSTORE_MISUSE.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_remote_new(const char *url,
                                      const char *database,
                                      const syncstore_http_options *options,
                                      syncstore_remote **remote,
                                      syncstore_error **error);

/**
 * The same database, with calls that end once they are cancelled: those under way soon, and later ones at once, with SYNCSTORE_CANCELLED; a write
 * with SYNCSTORE_UNCONFIRMED. It has connections of its own.
 *
 * cancel: what ends them; it may be freed at once.
 * other: takes the handle; free it with syncstore_remote_free().
 * Errors: SYNCSTORE_MISUSE.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_remote_cancellable(const syncstore_remote *remote,
                                              const syncstore_cancel *cancel,
                                              syncstore_remote **other,
                                              syncstore_error **error);

/**
 * Frees it; batches that were begun with it keep what they need. NULL is ignored.
 *
 * Thread: any; no other may begin a call with this handle any more.
 */
SYNCSTORE_API
void syncstore_remote_free(syncstore_remote *remote);

/**
 * What the database takes; also the way to find out that URL, database and credential are right. From then on names, values and batches are checked against the
 * limits that it publishes before they are sent.
 *
 * json: takes the answer of GET /v1/:db as JSON text; free it with syncstore_text_free().
 * Errors: those of the wire, SYNCSTORE_UNREACHABLE to SYNCSTORE_SETUP.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_remote_info(const syncstore_remote *remote,
                                       syncstore_text *json,
                                       syncstore_error **error);

/**
 * What has gone over the network since it was made.
 *
 * traffic: takes it.
 * Errors: SYNCSTORE_MISUSE.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_remote_traffic(const syncstore_remote *remote,
                                          syncstore_traffic *traffic,
                                          syncstore_error **error);

/**
 * A ref for one write, for syncstore_write_options.op: kept before the write is made, it makes the same write again safe, after a crash too. Those of
 * one handle grow.
 *
 * op: takes the ref.
 * Errors: SYNCSTORE_MISUSE.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_remote_new_ref(const syncstore_remote *remote,
                                          syncstore_ref *op,
                                          syncstore_error **error);

/**
 * Its rev, for syncstore_write_options.rev; of NULL 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
uint64_t syncstore_remote_item_rev(const syncstore_remote_item *item);

/**
 * Its value as JSON text; of NULL it is NULL. Belongs to the item.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_remote_item_value(const syncstore_remote_item *item);

/**
 * All of it as a JSON object: key, value, rev, indexes, relations and tags; of NULL it is NULL. Belongs to the item.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_remote_item_json(const syncstore_remote_item *item);

/**
 * Frees an item. NULL is ignored.
 *
 * Thread: any; no other may be using this item.
 */
SYNCSTORE_API
void syncstore_remote_item_free(syncstore_remote_item *item);

/**
 * One item with its index entries, relations and tags. Waits for the network.
 *
 * collection, key: the item.
 * item: takes it; free it with syncstore_remote_item_free().
 * Answers SYNCSTORE_NOT_FOUND where there is none, or the caller may not see it.
 * Errors: SYNCSTORE_LIMIT for a name of 0 or too many bytes, with nothing sent; those of the wire.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_remote_get(const syncstore_remote *remote,
                                      const char *collection,
                                      const char *key,
                                      syncstore_remote_item **item,
                                      syncstore_error **error);

/**
 * Like syncstore_remote_get(), but the item is sent only if it has another rev than that of an earlier read.
 *
 * collection, key: the item.
 * rev: the rev of the earlier read.
 * item: takes it; free it with syncstore_remote_item_free().
 * Answers SYNCSTORE_UNCHANGED where it still has that rev, SYNCSTORE_NOT_FOUND where the caller sees no such item any more.
 * Errors: those of syncstore_remote_get().
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_remote_get_newer(const syncstore_remote *remote,
                                            const char *collection,
                                            const char *key,
                                            uint64_t rev,
                                            syncstore_remote_item **item,
                                            syncstore_error **error);

/**
 * The index entries of an item, as a JSON object of names and ordering keys. Waits for the network.
 *
 * collection, key: the item.
 * json: takes the text; free it with syncstore_text_free().
 * Answers SYNCSTORE_NOT_FOUND where the caller sees no such item.
 * Errors: those of syncstore_remote_get().
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_remote_indexes(const syncstore_remote *remote,
                                          const char *collection,
                                          const char *key,
                                          syncstore_text *json,
                                          syncstore_error **error);

/**
 * The relations of an item as their subject, as a JSON array of {"id","predicate","object":{"collection","key"}}. Waits for the network.
 *
 * collection, key, json, answers, errors: as with syncstore_remote_indexes().
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_remote_relations(const syncstore_remote *remote,
                                            const char *collection,
                                            const char *key,
                                            syncstore_text *json,
                                            syncstore_error **error);

/**
 * The tags of an item, as a JSON array in bytewise order. Waits for the network.
 *
 * collection, key, json, answers, errors: as with syncstore_remote_indexes().
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_remote_tags(const syncstore_remote *remote,
                                       const char *collection,
                                       const char *key,
                                       syncstore_text *json,
                                       syncstore_error **error);

/* ---------------------------------------------------------------
 * Listings of a server
 *
 * A listing comes in pages, each of one moment. A page may have fewer items than were asked for, or none, and be followed by another all the same: the last
 * one is that without a next.
 */

/** Which items of a collection to list; begin with SYNCSTORE_REMOTE_QUERY_INIT. All conditions hold together; 0, or NULL, is none. */
typedef struct syncstore_remote_query {
  /** Set by SYNCSTORE_REMOTE_QUERY_INIT. */
  size_t struct_size;
  /** Only items with an entry in this index, by their ordering keys, then by key; the bounds then speak of ordering keys. NULL: by key. */
  const char *index;
  /** What they begin with. */
  const char *prefix;
  /** The first. */
  const char *from;
  /** The one before which to stop, whatever the direction. */
  const char *to;
  /** Goes on with the page that syncstore_remote_page_next() of an earlier one of the same query named. */
  const char *after;
  /** 1: from the last to the first. */
  int32_t reverse;
  /** The most items on a page. Default: 500. */
  uint32_t limit;
} syncstore_remote_query;

/** The defaults: syncstore_remote_query x = SYNCSTORE_REMOTE_QUERY_INIT; */
#define SYNCSTORE_REMOTE_QUERY_INIT { sizeof(syncstore_remote_query), 0, 0, 0, 0, 0, 0, 0 }

/**
 * One page of the items of a collection that the caller sees. Waits for the network.
 *
 * collection: its name.
 * query: which items; NULL: all, by key.
 * page: takes the page; free it with syncstore_remote_page_free().
 * Errors: SYNCSTORE_LIMIT for a name of 0 or too many bytes, with nothing sent; SYNCSTORE_REFUSED for what to go on after, if it is of another query;
 * those of the wire.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_remote_list(const syncstore_remote *remote,
                                       const char *collection,
                                       const syncstore_remote_query *query,
                                       syncstore_remote_page **page,
                                       syncstore_error **error);

/**
 * One page of the collections that have items which the caller sees, by name: their names are the page's keys. Waits for the network.
 *
 * after: what syncstore_remote_page_next() of the page before named; NULL: the first page.
 * page: takes the page; free it with syncstore_remote_page_free().
 * Errors: those of the wire.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_remote_collections(const syncstore_remote *remote,
                                              const char *after,
                                              syncstore_remote_page **page,
                                              syncstore_error **error);

/**
 * How many items, or collections, are on the page; of NULL 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
size_t syncstore_remote_page_count(const syncstore_remote_page *page);

/**
 * The key of the item, or the name of the collection, at a place, from 0; NULL behind the last one. Belongs to the page.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_remote_page_key(const syncstore_remote_page *page,
                                      size_t place);

/**
 * The value of the item at a place as JSON text; NULL behind the last one, and of collections. Belongs to the page.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_remote_page_value(const syncstore_remote_page *page,
                                        size_t place);

/**
 * The rev of the item at a place; 0 behind the last one, and of collections.
 *
 * Thread: any.
 */
SYNCSTORE_API
uint64_t syncstore_remote_page_rev(const syncstore_remote_page *page, size_t place);

/**
 * How many items of the collection at a place the caller sees; 0 behind the last one, and of items.
 *
 * Thread: any.
 */
SYNCSTORE_API
uint64_t syncstore_remote_page_items(const syncstore_remote_page *page, size_t place);

/**
 * The ordering key of the item at a place, in a listing by an index; else NULL. Belongs to the page.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_remote_page_order(const syncstore_remote_page *page,
                                        size_t place);

/**
 * The name of the next page; NULL: this is the last. Belongs to the page.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_remote_page_next(const syncstore_remote_page *page);

/**
 * Frees a page. NULL is ignored.
 *
 * Thread: any; no other may be using this page.
 */
SYNCSTORE_API
void syncstore_remote_page_free(syncstore_remote_page *page);

/* ---------------------------------------------------------------
 * Writes to a server
 *
 * Each is one request, decided by the same rules as an operation of a replica, and goes under a ref: a server does what has the same ref once, and tells the
 * repeat what the first did. So after SYNCSTORE_UNCONFIRMED make the same call with the ref of the error (syncstore_error_ref()) as
 * syncstore_write_options.op.
 */

/** What has to be so for a write to be done: a value of syncstore_write_options.precondition. */
typedef int32_t syncstore_precondition;

/** How a write is made; begin with SYNCSTORE_WRITE_OPTIONS_INIT. Of everything 0, or NULL, is the default. */
typedef struct syncstore_write_options {
  /** Set by SYNCSTORE_WRITE_OPTIONS_INIT. */
  size_t struct_size;
  /** What has to be so; a write of a batch has none. */
  syncstore_precondition precondition;
  /** 1: of a write of a batch, it was made for the item at the rev of base. That is no precondition: what becomes of a base that is behind is the collection's policy. */
  int32_t has_base;
  /** The ref to write under; NULL: a new one. */
  const syncstore_ref *op;
  /** Of SYNCSTORE_PRECONDITION_REV, the rev. */
  uint64_t rev;
  /** With has_base, the rev; 0: there was no item. */
  uint64_t base;
} syncstore_write_options;

/** The defaults: syncstore_write_options x = SYNCSTORE_WRITE_OPTIONS_INIT; */
#define SYNCSTORE_WRITE_OPTIONS_INIT { sizeof(syncstore_write_options), 0, 0, 0, 0, 0 }

/** Nothing. */
#define SYNCSTORE_PRECONDITION_NONE 0

/** What is written does not exist: the item, or the index entry, the relation, the tag. */
#define SYNCSTORE_PRECONDITION_ABSENT 1

/** What is written exists. */
#define SYNCSTORE_PRECONDITION_EXISTS 2

/** The item has the rev of syncstore_write_options.rev, also where an index entry, a relation or a tag is written. */
#define SYNCSTORE_PRECONDITION_REV 3

/**
 * Replaces the item's value, or creates the item. Waits for the network.
 *
 * collection, key: the item.
 * json, json_len: its value as JSON text of so many bytes.
 * options: how; NULL is the default.
 * rev: takes the rev that the item has then; may be NULL. Of a removal that removed nothing it is 0.
 * Errors: SYNCSTORE_LIMIT and SYNCSTORE_JSON, with nothing sent; SYNCSTORE_PRECONDITION_FAILED, SYNCSTORE_NO_ITEM, SYNCSTORE_REJECTED and those of the wire,
 * with nothing done; SYNCSTORE_UNCONFIRMED where it is not known.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_remote_set(const syncstore_remote *remote,
                                      const char *collection,
                                      const char *key,
                                      const char *json,
                                      size_t json_len,
                                      const syncstore_write_options *options,
                                      uint64_t *rev,
                                      syncstore_error **error);

/**
 * Changes a part of the item's value by a JSON Patch (RFC 6902). Waits for the network.
 *
 * collection, key: the item.
 * patch, patch_len: the patch, a JSON array, as text of so many bytes.
 * options, rev, errors: as with syncstore_remote_set().
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_remote_patch(const syncstore_remote *remote,
                                        const char *collection,
                                        const char *key,
                                        const char *patch,
                                        size_t patch_len,
                                        const syncstore_write_options *options,
                                        uint64_t *rev,
                                        syncstore_error **error);

/**
 * Removes the item. Waits for the network.
 *
 * collection, key: the item.
 * options, rev, errors: as with syncstore_remote_set().
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_remote_delete(const syncstore_remote *remote,
                                         const char *collection,
                                         const char *key,
                                         const syncstore_write_options *options,
                                         uint64_t *rev,
                                         syncstore_error **error);

/**
 * Puts the item into an index at an ordering key, or moves it there. Waits for the network.
 *
 * collection, key: the item.
 * index, order: the index and the ordering key.
 * options, rev, errors: as with syncstore_remote_set().
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_remote_set_index(const syncstore_remote *remote,
                                            const char *collection,
                                            const char *key,
                                            const char *index,
                                            const char *order,
                                            const syncstore_write_options *options,
                                            uint64_t *rev,
                                            syncstore_error **error);

/**
 * Takes the item out of an index. Waits for the network.
 *
 * collection, key: the item.
 * index: the index.
 * options, rev, errors: as with syncstore_remote_set().
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_remote_delete_index(const syncstore_remote *remote,
                                               const char *collection,
                                               const char *key,
                                               const char *index,
                                               const syncstore_write_options *options,
                                               uint64_t *rev,
                                               syncstore_error **error);

/**
 * Relates the item, the subject, to an object under an id, or changes that relation. Waits for the network.
 *
 * collection, key: the item.
 * id, predicate: the relation's name among those of the item, and what the object is to it.
 * object_collection, object_key: the object.
 * options, rev, errors: as with syncstore_remote_set().
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_remote_set_relation(const syncstore_remote *remote,
                                               const char *collection,
                                               const char *key,
                                               const char *id,
                                               const char *predicate,
                                               const char *object_collection,
                                               const char *object_key,
                                               const syncstore_write_options *options,
                                               uint64_t *rev,
                                               syncstore_error **error);

/**
 * Removes a relation of the item. Waits for the network.
 *
 * collection, key: the item.
 * id: the relation.
 * options, rev, errors: as with syncstore_remote_set().
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_remote_delete_relation(const syncstore_remote *remote,
                                                  const char *collection,
                                                  const char *key,
                                                  const char *id,
                                                  const syncstore_write_options *options,
                                                  uint64_t *rev,
                                                  syncstore_error **error);

/**
 * Adds a tag to the item. Waits for the network.
 *
 * collection, key: the item.
 * tag: the tag.
 * options, rev, errors: as with syncstore_remote_set().
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_remote_add_tag(const syncstore_remote *remote,
                                          const char *collection,
                                          const char *key,
                                          const char *tag,
                                          const syncstore_write_options *options,
                                          uint64_t *rev,
                                          syncstore_error **error);

/**
 * Removes a tag from the item. Waits for the network.
 *
 * collection, key: the item.
 * tag: the tag.
 * options, rev, errors: as with syncstore_remote_set().
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_remote_remove_tag(const syncstore_remote *remote,
                                             const char *collection,
                                             const char *key,
                                             const char *tag,
                                             const syncstore_write_options *options,
                                             uint64_t *rev,
                                             syncstore_error **error);

/* ---------------------------------------------------------------
 * Batches of writes to a server
 *
 * Writes that a server does all, in the order in which they were added, or none. Each has its ref since it was added: after SYNCSTORE_UNCONFIRMED commit the same batch
 * again, and if it was done, that only tells the revs.
 */

/**
 * Begins a batch.
 *
 * batch: takes it; free it with syncstore_remote_batch_free().
 * Errors: SYNCSTORE_MISUSE.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_remote_batch_new(const syncstore_remote *remote,
                                            syncstore_remote_batch **batch,
                                            syncstore_error **error);

/**
 * How many writes it has; of NULL 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
size_t syncstore_remote_batch_count(const syncstore_remote_batch *batch);

/**
 * Does all writes, or none. Without any it sends nothing. The batch stays as it is. Waits for the network.
 *
 * revs, room: takes the rev that each write left its item at, and zeros behind them, and where it fails; room says for how many there is room, which has to
 * be for all. revs may be NULL, with room 0.
 * Errors: SYNCSTORE_REJECTED when one of them cannot be done: syncstore_error_failed_write() says which, and nothing of the batch was done;
 * SYNCSTORE_UNCONFIRMED where it is not known; else those of the wire, with nothing done.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_remote_batch_commit(syncstore_remote_batch *batch,
                                               uint64_t *revs,
                                               size_t room,
                                               syncstore_error **error);

/**
 * Frees a batch. NULL is ignored.
 *
 * Thread: any; no other may be using this batch.
 */
SYNCSTORE_API
void syncstore_remote_batch_free(syncstore_remote_batch *batch);

/**
 * Adds a write: replaces the item's value, or creates the item.
 *
 * collection, key: the item.
 * json, json_len: its value as JSON text of so many bytes.
 * options: how; NULL is the default. It has no precondition.
 * Errors: SYNCSTORE_LIMIT, of the batch as a whole too, and SYNCSTORE_JSON; the batch is as it was then.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_remote_batch_set(syncstore_remote_batch *batch,
                                            const char *collection,
                                            const char *key,
                                            const char *json,
                                            size_t json_len,
                                            const syncstore_write_options *options,
                                            syncstore_error **error);

/**
 * Adds a write: changes a part of the item's value by a JSON Patch (RFC 6902).
 *
 * collection, key: the item.
 * patch, patch_len: the patch, a JSON array, as text of so many bytes.
 * options, errors: as with syncstore_remote_batch_set().
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_remote_batch_patch(syncstore_remote_batch *batch,
                                              const char *collection,
                                              const char *key,
                                              const char *patch,
                                              size_t patch_len,
                                              const syncstore_write_options *options,
                                              syncstore_error **error);

/**
 * Adds a write: removes the item.
 *
 * collection, key: the item.
 * options, errors: as with syncstore_remote_batch_set().
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_remote_batch_delete(syncstore_remote_batch *batch,
                                               const char *collection,
                                               const char *key,
                                               const syncstore_write_options *options,
                                               syncstore_error **error);

/**
 * Adds a write: puts the item into an index at an ordering key, or moves it there.
 *
 * collection, key: the item.
 * index, order: the index and the ordering key.
 * options, errors: as with syncstore_remote_batch_set().
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_remote_batch_set_index(syncstore_remote_batch *batch,
                                                  const char *collection,
                                                  const char *key,
                                                  const char *index,
                                                  const char *order,
                                                  const syncstore_write_options *options,
                                                  syncstore_error **error);

/**
 * Adds a write: takes the item out of an index.
 *
 * collection, key: the item.
 * index: the index.
 * options, errors: as with syncstore_remote_batch_set().
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_remote_batch_delete_index(syncstore_remote_batch *batch,
                                                     const char *collection,
                                                     const char *key,
                                                     const char *index,
                                                     const syncstore_write_options *options,
                                                     syncstore_error **error);

/**
 * Adds a write: relates the item, the subject, to an object under an id, or changes that relation.
 *
 * collection, key: the item.
 * id, predicate: the relation's name among those of the item, and what the object is to it.
 * object_collection, object_key: the object.
 * options, errors: as with syncstore_remote_batch_set().
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_remote_batch_set_relation(syncstore_remote_batch *batch,
                                                     const char *collection,
                                                     const char *key,
                                                     const char *id,
                                                     const char *predicate,
                                                     const char *object_collection,
                                                     const char *object_key,
                                                     const syncstore_write_options *options,
                                                     syncstore_error **error);

/**
 * Adds a write: removes a relation of the item.
 *
 * collection, key: the item.
 * id: the relation.
 * options, errors: as with syncstore_remote_batch_set().
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_remote_batch_delete_relation(syncstore_remote_batch *batch,
                                                        const char *collection,
                                                        const char *key,
                                                        const char *id,
                                                        const syncstore_write_options *options,
                                                        syncstore_error **error);

/**
 * Adds a write: adds a tag to the item.
 *
 * collection, key: the item.
 * tag: the tag.
 * options, errors: as with syncstore_remote_batch_set().
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_remote_batch_add_tag(syncstore_remote_batch *batch,
                                                const char *collection,
                                                const char *key,
                                                const char *tag,
                                                const syncstore_write_options *options,
                                                syncstore_error **error);

/**
 * Adds a write: removes a tag from the item.
 *
 * collection, key: the item.
 * tag: the tag.
 * options, errors: as with syncstore_remote_batch_set().
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_remote_batch_remove_tag(syncstore_remote_batch *batch,
                                                   const char *collection,
                                                   const char *key,
                                                   const char *tag,
                                                   const syncstore_write_options *options,
                                                   syncstore_error **error);

/* ---------------------------------------------------------------
 * Automatic indexes
 *
 * An automatic index is kept by a part of a collection's values: every write, sync and rejection keeps it in step. It is local, and travels
 * nowhere. Queries by its name read it. Entries that are set by hand are something else, also those under the same name.
 */

/**
 * Is told how far a build has come: items of this call, and about how many there are in all. 0 goes on; any other number ends it, and the
 * next call goes on from there.
 */
typedef int32_t (*syncstore_progress)(void *user_data, uint64_t done, uint64_t total);

/**
 * Keeps an index of a collection by a part of its values. What the collection holds already is taken in by syncstore_build_index().
 * Declaring the same again, at every start of the program, changes nothing; another field begins anew. A replica has at most 256.
 *
 * collection: the collection.
 * name: the index; the host's choice, 1 to 128 bytes.
 * pointer: the part, a JSON Pointer (RFC 6901) of at most 4,096 bytes and 64 steps: "/due", "/author/name", "" for the value itself. A value has an entry for a string, a number or
 * a boolean there, and one for each such member of an array.
 * dates: 1: strings that are dates of RFC 3339 count as instants, whatever their offset; 0: strings are what they are.
 * must_build: takes 1 where syncstore_build_index() has something to do, else 0; may be NULL.
 * Errors: SYNCSTORE_INDEX for what is no JSON Pointer, and when there are too many; SYNCSTORE_LIMIT; those of a write.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_declare_index(syncstore *store,
                                         const char *collection,
                                         const char *name,
                                         const char *pointer,
                                         int32_t dates,
                                         int32_t *must_build,
                                         syncstore_error **error);

/**
 * Removes an automatic index. No item is touched.
 *
 * collection, name: the index.
 * was_there: takes 1 where there was one, else 0; may be NULL.
 * Errors: those of a write.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_drop_index(syncstore *store,
                                      const char *collection,
                                      const char *name,
                                      int32_t *was_there,
                                      syncstore_error **error);

/**
 * Takes into an automatic index what its collection held when it was declared, a slice of 250 items at a time. It blocks until all is done;
 * writes of other threads go on between the slices. However it ends, the next call goes on from there; until the end queries find what is
 * in it, and syncstore_rows_is_complete() answers 0.
 *
 * collection, name: the index.
 * progress: called after each slice, within this call; it may use the store. NULL: nobody is told.
 * user_data: what it is handed.
 * Errors: SYNCSTORE_CANCELLED when progress ended it, SYNCSTORE_CLOSED when the store was closed meanwhile; SYNCSTORE_INDEX when no such index is declared; those of a write.
 *
 * Thread: any; it waits for the disk.
 */
SYNCSTORE_API
syncstore_status syncstore_build_index(syncstore *store,
                                       const char *collection,
                                       const char *name,
                                       syncstore_progress progress,
                                       void *user_data,
                                       syncstore_error **error);

/* ---------------------------------------------------------------
 * Full-text search
 *
 * A search makes some fields of a collection searchable: every write, sync and rejection keeps it in step. It is local, and travels nowhere.
 * Words are told apart without regard to case and diacritics.
 */

/** How a text is searched for. */
typedef int32_t syncstore_search_mode;

/** How hits are given; begin with SYNCSTORE_SEARCH_OPTIONS_INIT. Of everything 0, or NULL, is the default. */
typedef struct syncstore_search_options {
  /** Set by SYNCSTORE_SEARCH_OPTIONS_INIT. */
  size_t struct_size;
  /** At most so many hits. Default: 50. */
  uint64_t limit;
  /** What a snippet has before each word that was found. Default: "[". */
  const char *mark_before;
  /** What a snippet has behind each word that was found. Default: "]". */
  const char *mark_behind;
} syncstore_search_options;

/** The defaults: syncstore_search_options x = SYNCSTORE_SEARCH_OPTIONS_INIT; */
#define SYNCSTORE_SEARCH_OPTIONS_INIT { sizeof(syncstore_search_options), 0, 0, 0 }

/** All of these words, in any field and order. What a user typed will do: no sign has a meaning. */
#define SYNCSTORE_SEARCH_WORDS 1

/** Likewise, and the last word may go on: for a search while the user still types it. */
#define SYNCSTORE_SEARCH_WORDS_SO_FAR 2

/**
 * An expression of SQLite's FTS5, of at most 2 KiB: milk AND (bread OR butter*), "whole phrase", NEAR(a b). Fields have the names f0, f1 and so
 * on, in the order in which they were declared: f0: milk.
 */
#define SYNCSTORE_SEARCH_EXPRESSION 3

/**
 * Makes some fields of a collection searchable. What the collection holds already is taken in by syncstore_build_search(). Declaring the same
 * again, at every start of the program, changes nothing; other fields or another collection begin anew.
 *
 * name: the search; the host's choice.
 * collection: the collection.
 * fields, count: 1 to 16 JSON Pointers of at most 4,096 bytes: of a string that is searched, or an array whose strings are.
 * must_build: takes 1 where syncstore_build_search() has something to do, else 0; may be NULL.
 * Errors: SYNCSTORE_SEARCH for fields that cannot be searched; SYNCSTORE_LIMIT; those of a write.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_declare_search(syncstore *store,
                                          const char *name,
                                          const char *collection,
                                          const char *const *fields,
                                          size_t count,
                                          int32_t *must_build,
                                          syncstore_error **error);

/**
 * Removes a search. No item is touched.
 *
 * name: the search.
 * was_there: takes 1 where there was one, else 0; may be NULL.
 * Errors: those of a write.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_drop_search(syncstore *store,
                                       const char *name,
                                       int32_t *was_there,
                                       syncstore_error **error);

/**
 * Takes into a search what its collection held when it was declared, a slice of 250 items at a time. It blocks until all is done; writes of
 * other threads go on between the slices. However it ends, the next call goes on from there.
 *
 * name: the search.
 * progress: called after each slice, within this call; it may use the store. NULL: nobody is told.
 * user_data: what it is handed.
 * Errors: SYNCSTORE_CANCELLED when progress ended it, SYNCSTORE_CLOSED when the store was closed meanwhile; SYNCSTORE_SEARCH when no such search is declared; those of a write.
 *
 * Thread: any; it waits for the disk.
 */
SYNCSTORE_API
syncstore_status syncstore_build_search(syncstore *store,
                                        const char *name,
                                        syncstore_progress progress,
                                        void *user_data,
                                        syncstore_error **error);

/**
 * The items that fit a text, as of one moment, the best first.
 *
 * name: the search.
 * mode: SYNCSTORE_SEARCH_WORDS, SYNCSTORE_SEARCH_WORDS_SO_FAR or SYNCSTORE_SEARCH_EXPRESSION.
 * text, text_len: what is searched for, of so many bytes.
 * options: NULL is the default.
 * hits: takes them; free it with syncstore_hits_free().
 * Errors: SYNCSTORE_SEARCH when no such search is declared, or the expression cannot be read or is too long; when the file cannot be read.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_search(syncstore *store,
                                  const char *name,
                                  syncstore_search_mode mode,
                                  const char *text,
                                  size_t text_len,
                                  const syncstore_search_options *options,
                                  syncstore_hits **hits,
                                  syncstore_error **error);

/**
 * How many hits there are; of NULL 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
size_t syncstore_hits_count(const syncstore_hits *hits);

/**
 * The key of the item at a place, from 0; NULL behind the last one. Belongs to the hits.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_hits_key(const syncstore_hits *hits, size_t place);

/**
 * How well the item at a place fits, by BM25: the smaller the better, and always below 0 or about it. 0 behind the last one.
 *
 * Thread: any.
 */
SYNCSTORE_API
double syncstore_hits_rank(const syncstore_hits *hits,
                           size_t place);

/**
 * A piece of the field of the item at a place in which most was found, some 16 words, with the marks around what was found, and without a NUL
 * behind it; NULL behind the last one. Belongs to the hits.
 *
 * len: takes how many bytes; 0 where there is none. May be NULL.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_hits_snippet(const syncstore_hits *hits,
                                   size_t place,
                                   size_t *len);

/**
 * Whether all of the collection was looked through: 0 until syncstore_build_search() has ended, and of NULL; else 1.
 *
 * Thread: any.
 */
SYNCSTORE_API
int32_t syncstore_hits_is_complete(const syncstore_hits *hits);

/**
 * Frees hits. NULL is ignored.
 *
 * Thread: any; no other may be using these hits.
 */
SYNCSTORE_API
void syncstore_hits_free(syncstore_hits *hits);

/* ---------------------------------------------------------------
 * SQL
 *
 * One SELECT over the views items, index_entries, relations, tags, outbox and ledger (docs/SQL.md). Nothing can be written, attached or
 * configured, and no other table is there. A statement is given its parameters and limits, and then run, any number of times. Values are
 * bound, never put into the text.
 */

/** The type of a value, as SQLite says; nothing is converted. */
typedef int32_t syncstore_sql_type;

/** Nothing. */
#define SYNCSTORE_SQL_NULL 1

/** A 64-bit integer; SQLite has no booleans, true is 1. */
#define SYNCSTORE_SQL_INTEGER 2

/** A 64-bit float, never NaN. */
#define SYNCSTORE_SQL_REAL 3

/** A text. */
#define SYNCSTORE_SQL_TEXT 4

/** Bytes. */
#define SYNCSTORE_SQL_BLOB 5

/**
 * Begins a statement. It is read when it is run.
 *
 * select, select_len: one SELECT, of so many bytes.
 * sql: takes it; free it with syncstore_sql_free().
 * Errors: SYNCSTORE_CLOSED.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_sql_new(syncstore *store,
                                   const char *select,
                                   size_t select_len,
                                   syncstore_sql **sql,
                                   syncstore_error **error);

/**
 * Binds a parameter to NULL.
 *
 * name: the parameter with the sign before it, ":name", "@name" or "$name", which takes the place of what was bound to it before; NULL: the next
 * of the parameters "?", or "?1", "?2" and so on.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_sql_bind_null(syncstore_sql *sql,
                                         const char *name,
                                         syncstore_error **error);

/**
 * Binds a parameter to an integer; false and true are 0 and 1.
 *
 * name: as in syncstore_sql_bind_null().
 * value: the integer.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_sql_bind_integer(syncstore_sql *sql,
                                            const char *name,
                                            int64_t value,
                                            syncstore_error **error);

/**
 * Binds a parameter to a float; SQLite makes NULL of NaN.
 *
 * name: as in syncstore_sql_bind_null().
 * value: the float.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_sql_bind_real(syncstore_sql *sql,
                                         const char *name,
                                         double value,
                                         syncstore_error **error);

/**
 * Binds a parameter to a text.
 *
 * name: as in syncstore_sql_bind_null().
 * value, value_len: the text, of so many bytes.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_sql_bind_text(syncstore_sql *sql,
                                         const char *name,
                                         const char *value,
                                         size_t value_len,
                                         syncstore_error **error);

/**
 * Binds a parameter to bytes.
 *
 * name: as in syncstore_sql_bind_null().
 * value, value_len: so many bytes.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_sql_bind_blob(syncstore_sql *sql,
                                         const char *name,
                                         const void *value,
                                         size_t value_len,
                                         syncstore_error **error);

/**
 * Takes back what was bound, so that the statement can be run with other parameters.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_sql_unbind(syncstore_sql *sql, syncstore_error **error);

/**
 * What the statement may take; where it would take more it fails, and nothing is cut silently. Of each 0 is the default.
 *
 * rows: rows. Default: 10,000.
 * bytes: what the rows hold, in bytes of text and blobs, and 16 for each value. Default: 64 MiB.
 * time_ms: from the call to its last row. Default: 5 seconds.
 * Errors: SYNCSTORE_MISUSE for a time below 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_sql_limits(syncstore_sql *sql,
                                      uint64_t rows,
                                      uint64_t bytes,
                                      int64_t time_ms,
                                      syncstore_error **error);

/**
 * Runs the statement and reads all of its rows, as of one moment.
 *
 * rows: takes them; free it with syncstore_sql_rows_free().
 * Errors: SYNCSTORE_SQL, with a message that says what is wrong with the statement or its parameters, or which limit was hit; when the file cannot
 * be read.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_sql_run(syncstore_sql *sql,
                                   syncstore_sql_rows **rows,
                                   syncstore_error **error);

/**
 * Frees a statement. What it found stays to be freed. NULL is ignored.
 *
 * Thread: any; no other may be using this statement.
 */
SYNCSTORE_API
void syncstore_sql_free(syncstore_sql *sql);

/**
 * How many rows there are; of NULL 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
size_t syncstore_sql_rows_count(const syncstore_sql_rows *rows);

/**
 * How many columns there are; of NULL 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
size_t syncstore_sql_rows_columns(const syncstore_sql_rows *rows);

/**
 * The name of the column at a place, from 0; NULL behind the last one. Two may be the same; an expression without AS has its own text as a
 * name. Belongs to the rows.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_sql_rows_column_name(const syncstore_sql_rows *rows,
                                           size_t column);

/**
 * The place of the first column of a name, compared byte for byte; -1: there is none, or one of the two is NULL.
 *
 * Thread: any.
 */
SYNCSTORE_API
int64_t syncstore_sql_rows_column(const syncstore_sql_rows *rows,
                                  const char *name);

/**
 * The type of a value; 0: there is no such place.
 *
 * row, column: its place, from 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_sql_type syncstore_sql_rows_type(const syncstore_sql_rows *rows,
                                           size_t row,
                                           size_t column);

/**
 * A value that is an integer; of any other 0.
 *
 * row, column: its place, from 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
int64_t syncstore_sql_rows_integer(const syncstore_sql_rows *rows,
                                   size_t row,
                                   size_t column);

/**
 * A value that is a float; of any other, an integer too, 0.
 *
 * row, column: its place, from 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
double syncstore_sql_rows_real(const syncstore_sql_rows *rows,
                               size_t row,
                               size_t column);

/**
 * A value that is a text, without a NUL behind it; of any other NULL. Belongs to the rows.
 *
 * row, column: its place, from 0.
 * len: takes how many bytes; 0 where there is none. May be NULL.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_sql_rows_text(const syncstore_sql_rows *rows,
                                    size_t row,
                                    size_t column,
                                    size_t *len);

/**
 * A value that is a blob; of any other, a text too, NULL. Belongs to the rows.
 *
 * row, column: its place, from 0.
 * len: takes how many bytes; 0 where there is none. May be NULL.
 *
 * Thread: any.
 */
SYNCSTORE_API
const void *syncstore_sql_rows_blob(const syncstore_sql_rows *rows,
                                    size_t row,
                                    size_t column,
                                    size_t *len);

/**
 * Frees rows. NULL is ignored.
 *
 * Thread: any; no other may be using these rows.
 */
SYNCSTORE_API
void syncstore_sql_rows_free(syncstore_sql_rows *rows);

/* ---------------------------------------------------------------
 * What is kept
 *
 * A replica keeps everything, or what a filter has: a list of at most 100 collections, or collections with a prefix of keys. What is left out
 * cannot be written here, and is removed by the next sync; what is kept in addition is loaded by it. As a text (syncstore_options.keep) a filter is
 * "notes,orders:2026-": entries with commas between them, a colon before a prefix, a backslash before a comma, a colon or a backslash in a name.
 */

/**
 * Says what this replica keeps. It is in the file, for every store that opens it. Items that are no longer kept and have pending operations stay until
 * these are settled. No operation is sent by that: others keep the items.
 *
 * filter: what to keep.
 * changed: takes 1 where it was another before, else 0; may be NULL.
 * Errors: SYNCSTORE_LIMIT for a filter with more than 100 entries or 4,096 bytes of text, or a name that no collection can have; those of a write.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_keep(syncstore *store,
                                const syncstore_filter *filter,
                                int32_t *changed,
                                syncstore_error **error);

/**
 * What this replica is to keep, and what of that is here.
 *
 * keep: takes what it is to keep; free it with syncstore_filter_free().
 * here: takes what of that is here; free it with syncstore_filter_free(). It is another until a sync has come to its end since.
 * Errors: when the file cannot be read.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_kept(syncstore *store,
                                syncstore_filter **keep,
                                syncstore_filter **here,
                                syncstore_error **error);

/**
 * A filter that has all collections, whatever they are called.
 *
 * filter: takes it; free it with syncstore_filter_free().
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_filter_everything(syncstore_filter **filter,
                                             syncstore_error **error);

/**
 * A filter that has these collections and no others; with syncstore_filter_and_prefix() more can be added.
 *
 * collections, count: so many names; NULL, and 0: none at all.
 * filter: takes it; free it with syncstore_filter_free().
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_filter_only(const char *const *collections,
                                       size_t count,
                                       syncstore_filter **filter,
                                       syncstore_error **error);

/**
 * A filter from the text of a list.
 *
 * text: the text.
 * filter: takes it; free it with syncstore_filter_free().
 * Errors: SYNCSTORE_MISUSE for a text that is none; SYNCSTORE_LIMIT as for syncstore_keep().
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_filter_from_text(const char *text,
                                            syncstore_filter **filter,
                                            syncstore_error **error);

/**
 * Adds the keys of a collection that begin so; no change to what has everything.
 *
 * collection: the collection.
 * prefix: how its keys begin; "": all of them.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_filter_and_prefix(syncstore_filter *filter,
                                             const char *collection,
                                             const char *prefix,
                                             syncstore_error **error);

/**
 * What two filters both have.
 *
 * other: the other one.
 * both: takes a filter of its own; free it with syncstore_filter_free().
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_filter_and(const syncstore_filter *filter,
                                      const syncstore_filter *other,
                                      syncstore_filter **both,
                                      syncstore_error **error);

/**
 * Whether a filter has all that another one has: 1 or 0; 0 too where one is NULL. Two that cover each other are the same.
 *
 * other: the other one.
 *
 * Thread: any.
 */
SYNCSTORE_API
int32_t syncstore_filter_covers(const syncstore_filter *filter,
                                const syncstore_filter *other);

/**
 * Whether a filter leaves nothing out: 1 or 0, and of NULL 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
int32_t syncstore_filter_is_everything(const syncstore_filter *filter);

/**
 * Whether a filter has an item: 1 or 0; 0 too where one is NULL, or no name.
 *
 * collection, key: the item.
 *
 * Thread: any.
 */
SYNCSTORE_API
int32_t syncstore_filter_has(const syncstore_filter *filter,
                             const char *collection,
                             const char *key);

/**
 * The text of a filter that is a list.
 *
 * text: takes it; free it with syncstore_text_free(). Of a list that has nothing it is "".
 * Answers SYNCSTORE_NOT_FOUND for a filter that has everything.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_filter_to_text(const syncstore_filter *filter,
                                          syncstore_text *text,
                                          syncstore_error **error);

/**
 * The collections of which a filter has any key.
 *
 * collections: takes the list; free it with syncstore_names_free().
 * Answers SYNCSTORE_NOT_FOUND for a filter that has everything.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_filter_collections(const syncstore_filter *filter,
                                              syncstore_names **collections,
                                              syncstore_error **error);

/**
 * The keys of a collection that a filter has: those that begin with one of these. "" is every key, none is no key.
 *
 * collection: the collection.
 * prefixes: takes the list; free it with syncstore_names_free().
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_filter_prefixes(const syncstore_filter *filter,
                                           const char *collection,
                                           syncstore_names **prefixes,
                                           syncstore_error **error);

/**
 * Frees a filter. NULL is ignored.
 *
 * Thread: any; no other may be using this filter.
 */
SYNCSTORE_API
void syncstore_filter_free(syncstore_filter *filter);

/* ---------------------------------------------------------------
 * Pending operations
 *
 * The outbox: every operation that the server has not confirmed, in the order in which they were made, as of the moment of the call.
 */

/** Where a pending operation stands. A later version may know others. */
typedef int32_t syncstore_pending_state;

/** Never sent. */
#define SYNCSTORE_PENDING_QUEUED 1

/** Sent, and not answered yet. */
#define SYNCSTORE_PENDING_IN_FLIGHT 2

/** The server committed it; its place in the log is not pulled yet. */
#define SYNCSTORE_PENDING_ACCEPTED 3

/** The server refused it; its place in the log is not pulled yet. */
#define SYNCSTORE_PENDING_REJECTED 4

/** The server holds it for an approver. */
#define SYNCSTORE_PENDING_AWAITING_APPROVAL 5

/** The server holds it until the rest of its batch has come. */
#define SYNCSTORE_PENDING_STAGED 6

/**
 * Every operation that is not settled, in the order in which they were made; syncstore_pending_count() tells how many there are without reading
 * them.
 *
 * ops: takes the list; free it with syncstore_pending_ops_free().
 * Errors: when the file cannot be read.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_status syncstore_pending(syncstore *store,
                                   syncstore_pending_ops **ops,
                                   syncstore_error **error);

/**
 * How many operations there are; of NULL 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
size_t syncstore_pending_ops_count(const syncstore_pending_ops *ops);

/**
 * The ref of the operation at a place, from 0.
 *
 * op: where to put it; it is zeroed where there is none. NULL only asks whether there is one.
 * Answers 1 where there is one, else 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
int32_t syncstore_pending_ops_ref(const syncstore_pending_ops *ops,
                                  size_t place,
                                  syncstore_ref *op);

/**
 * The collection of the item of the operation at a place; NULL behind the last one. Belongs to the list.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_pending_ops_collection(const syncstore_pending_ops *ops,
                                             size_t place);

/**
 * The key of the item of the operation at a place; NULL behind the last one. Belongs to the list.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_pending_ops_key(const syncstore_pending_ops *ops, size_t place);

/**
 * What the operation at a place does; 0 behind the last one.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_op_kind syncstore_pending_ops_kind(const syncstore_pending_ops *ops,
                                             size_t place);

/**
 * What of its item the operation at a place is on; 0 behind the last one.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_resource syncstore_pending_ops_resource(const syncstore_pending_ops *ops,
                                                  size_t place);

/**
 * The name of the index or the tag, or the id of the relation, that the operation at a place is on; NULL: it is on the value, or there is none.
 * Belongs to the list.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_pending_ops_resource_name(const syncstore_pending_ops *ops,
                                                size_t place);

/**
 * What the operation at a place sets or patches, without a NUL behind it: the JSON text of a set's value or of a patch, or of what an index entry
 * ({"order"}) or a relation ({"predicate","object"}) is set to. NULL: it has none. Belongs to the list.
 *
 * len: takes how many bytes; 0 where there is none. May be NULL.
 *
 * Thread: any.
 */
SYNCSTORE_API
const char *syncstore_pending_ops_payload(const syncstore_pending_ops *ops,
                                          size_t place,
                                          size_t *len);

/**
 * The rev of the item that this replica had confirmed when the operation at a place was made.
 *
 * base: where to put it; 0 where there is none. NULL only asks whether there is one.
 * Answers 1 where there is one; 0: it makes no claim, or there is no such operation.
 *
 * Thread: any.
 */
SYNCSTORE_API
int32_t syncstore_pending_ops_base(const syncstore_pending_ops *ops,
                                   size_t place,
                                   uint64_t *base);

/**
 * The batch that the operation at a place is in.
 *
 * batch: where to put its id; it is zeroed where there is none. NULL only asks whether there is one.
 * Answers 1 where there is one, else 0.
 *
 * Thread: any.
 */
SYNCSTORE_API
int32_t syncstore_pending_ops_batch(const syncstore_pending_ops *ops,
                                    size_t place,
                                    syncstore_ref *batch);

/**
 * Where the operation at a place stands; 0 behind the last one.
 *
 * Thread: any.
 */
SYNCSTORE_API
syncstore_pending_state syncstore_pending_ops_state(const syncstore_pending_ops *ops,
                                                    size_t place);

/**
 * Whether the operation at a place still applies to what this replica knows of its item: 1, or 0 where not; the server will likely reject it then,
 * and reads do not show it. 0 behind the last one too.
 *
 * Thread: any.
 */
SYNCSTORE_API
int32_t syncstore_pending_ops_applies(const syncstore_pending_ops *ops,
                                      size_t place);

/**
 * Frees a list of pending operations. NULL is ignored.
 *
 * Thread: any; no other may be using this list.
 */
SYNCSTORE_API
void syncstore_pending_ops_free(syncstore_pending_ops *ops);

/* ---------------------------------------------------------------
 * Checking and compacting
 */

/**
 * Checks that the replica is what it should be, and counts what it holds; nothing is changed or repaired. It reads the whole file, at one
 * consistent moment; reads, writes and syncs go on meanwhile.
 *
 * is_ok: takes 1 where nothing is wrong, else 0; may be NULL.
 * report: takes what was found and counted, one line of JSON ("ok", "findings", "items", "pending", "file_bytes", "free_bytes" and others; a later
 * version may have more): for people and logs, without any value. Free it with syncstore_text_free().
 * Errors: what is wrong with the replica is none; SYNCSTORE_STORAGE and SYNCSTORE_BUSY when the disk does not give it.
 *
 * Thread: any; it waits for the disk.
 */
SYNCSTORE_API
syncstore_status syncstore_check(syncstore *store,
                                 int32_t *is_ok,
                                 syncstore_text *report,
                                 syncstore_error **error);

/**
 * Writes the file anew without its free space, and gives that back to the file system. It copies the whole file: reads go on, writes wait
 * meanwhile. It needs free disk space for two copies of what the file holds. Interrupted at any point it leaves the file as it was or
 * compacted.
 *
 * bytes_before, bytes_after: take the size of the file and its log before and after, in bytes; may be NULL.
 * Errors: SYNCSTORE_DISK_FULL; SYNCSTORE_BUSY when another process writes, or any store reads, for longer than busy_timeout_ms. Whatever
 * the error, nothing is lost.
 *
 * Thread: any; it waits for the disk.
 */
SYNCSTORE_API
syncstore_status syncstore_compact(syncstore *store,
                                   uint64_t *bytes_before,
                                   uint64_t *bytes_after,
                                   syncstore_error **error);

#ifdef __cplusplus
}
#undef syncstore
#else
/** The store, by the name that it has in C++. */
typedef syncstore syncstore_store;
#endif

#endif /* SYNCSTORE_H */

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

#ifdef __cplusplus
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
 * Errors: SYNCSTORE_MISUSE.
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

/** A text that the caller owns: len bytes of UTF-8, and a NUL behind them that does not count. Free it with syncstore_text_free(). */
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
  /** How long a write waits for another process that holds the file. Default: 5 seconds. */
  int64_t busy_timeout_ms;
  /** The page cache of each connection to the file, in bytes. Default: 16 MiB. */
  uint64_t cache_bytes;
  /** Settled outcomes older than this go. Default: 90 days; -1: age alone removes none. */
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
 * at_most_ms: the longest, in milliseconds; it may come back a little early.
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

/** The item is gone from what this replica may see; nothing of it is kept. */
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

#ifdef __cplusplus
}
#endif

#endif /* SYNCSTORE_H */

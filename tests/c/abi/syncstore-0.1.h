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
#define SYNCSTORE_OPTIONS_INIT { sizeof(syncstore_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

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

#ifdef __cplusplus
}
#endif

#endif /* SYNCSTORE_H */

/*
 * SyncStore @VERSION@: an embedded offline-first JSON store that syncs with a server.
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
#define SYNCSTORE_VERSION_MAJOR @MAJOR@
#define SYNCSTORE_VERSION_MINOR @MINOR@
#define SYNCSTORE_VERSION_PATCH @PATCH@
#define SYNCSTORE_VERSION "@VERSION@"

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

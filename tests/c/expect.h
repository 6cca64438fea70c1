/* What a test program is made with: the first thing that is not as expected ends it with its place. */
#ifndef EXPECT_H
#define EXPECT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncstore.h"

#define EXPECT(condition)                                                                  \
    do {                                                                                   \
        if (!(condition)) {                                                                \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);        \
            exit(1);                                                                       \
        }                                                                                  \
    } while (0)

/* A call that has to answer so; `error` is a syncstore_error * in scope, and is NULL exactly where the answer is no error. */
#define EXPECT_STATUS(expected, call)                                                      \
    do {                                                                                   \
        syncstore_status status_ = (call);                                                 \
        if (status_ != (expected) || (error != NULL) != (status_ < 0)) {                   \
            fprintf(stderr, "%s:%d: %s (%s), not %s: %s\n", __FILE__, __LINE__,            \
                    syncstore_status_name(status_), syncstore_error_message(error),        \
                    syncstore_status_name(expected), #call);                               \
            exit(1);                                                                       \
        }                                                                                  \
    } while (0)

#define EXPECT_OK(call) EXPECT_STATUS(SYNCSTORE_OK, call)

/* A call that fails so, with these words in the message, and nothing there that only Rust has; the error is freed. */
#define EXPECT_FAILS(expected, words, call)                                                \
    do {                                                                                   \
        EXPECT_STATUS(expected, call);                                                     \
        if (syncstore_error_code(error) != (expected)                                      \
            || strstr(syncstore_error_message(error), words) == NULL                       \
            || strstr(syncstore_error_message(error), "::") != NULL) {                     \
            fprintf(stderr, "%s:%d: \"%s\" has no \"%s\", or a ::, %s\n", __FILE__, __LINE__, \
                    syncstore_error_message(error), words, #call);                         \
            exit(1);                                                                       \
        }                                                                                  \
        syncstore_error_free(error);                                                       \
        error = NULL;                                                                      \
    } while (0)

#define EXPECT_TEXT(expected, text) EXPECT(strcmp((text), (expected)) == 0)

#endif

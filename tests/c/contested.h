/* A backend with the one item "n1" of "notes", to which somebody else writes when a test says so: a replica that wrote to it before, and pulls then, has a conflict. It
 * takes no operations. */
#ifndef CONTESTED_H
#define CONTESTED_H

#include "expect.h"

typedef struct contested {
    /* Called in pushes and pulls, before they are answered; NULL: nothing is. */
    void (*in_push)(void *data, syncstore_wire_call *call);
    void (*in_pull)(void *data, syncstore_wire_call *call);
    void *data;
    /* Whether they have written. */
    int wrote;
} contested;

static void contested_answer(syncstore_wire_call *call, const char *json)
{
    EXPECT(syncstore_wire_call_answer(call, json, strlen(json), NULL) == SYNCSTORE_OK);
}

static void contested_info(void *user_data, syncstore_wire_call *call)
{
    EXPECT(user_data != NULL);
    contested_answer(call, "{\"epoch\":\"e\",\"seq\":1,\"limits\":{},\"formats\":[],\"encodings\":[]}");
}

static void contested_push(void *user_data, syncstore_wire_call *call)
{
    contested *backend = user_data;

    if (backend->in_push != NULL) {
        backend->in_push(backend->data, call);
    }
    EXPECT(syncstore_wire_call_fail(call, SYNCSTORE_REFUSED, -1, "it takes none", NULL) == SYNCSTORE_OK);
}

static void contested_pull(void *user_data, syncstore_wire_call *call)
{
    contested *backend = user_data;
    const char *cursor = syncstore_wire_call_cursor(call);
    int is_new;

    if (backend->in_pull != NULL) {
        backend->in_pull(backend->data, call);
    }
    is_new = backend->wrote && cursor != NULL && strcmp(cursor, "1") == 0;
    contested_answer(call, is_new ? "{\"entries\":[{\"seq\":2,\"ref\":\"01890a5d-ac96-774b-bcce-b302099a8057\",\"outcome\":\"accepted\",\"op\":\"set\","
                                    "\"collection\":\"notes\",\"key\":\"n1\",\"value\":{\"by\":\"them\"},\"from\":1,\"rev\":2}],\"cursor\":\"2\",\"seq\":2,\"more\":false}"
                           : backend->wrote ? "{\"entries\":[],\"cursor\":\"2\",\"seq\":2,\"more\":false}"
                                            : "{\"entries\":[],\"cursor\":\"1\",\"seq\":1,\"more\":false}");
}

static void contested_checkpoint(void *user_data, syncstore_wire_call *call)
{
    EXPECT(user_data != NULL);
    contested_answer(call, "{\"checkpoint\":\"p\",\"cursor\":\"1\",\"seq\":1,\"items\":[{\"collection\":\"notes\",\"key\":\"n1\",\"value\":{\"by\":\"nobody\"},\"rev\":1}],\"total\":1}");
}

static syncstore_wire *contested_wire(contested *backend)
{
    syncstore_wire_callbacks callbacks = SYNCSTORE_WIRE_CALLBACKS_INIT;
    syncstore_wire *wire;

    callbacks.user_data = backend;
    callbacks.info = contested_info;
    callbacks.push = contested_push;
    callbacks.pull = contested_pull;
    callbacks.checkpoint = contested_checkpoint;
    EXPECT(syncstore_wire_custom(&callbacks, &wire, NULL) == SYNCSTORE_OK);
    return wire;
}

/* A store with a replica of it, in which n1 was written to before they did. */
static syncstore *contested_store(const char *path, syncstore_resolver *resolver, contested *backend, syncstore_wire *wire)
{
    syncstore_options options = SYNCSTORE_OPTIONS_INIT;
    syncstore *store;

    options.retry_attempts = 1;
    options.resolver = resolver;
    EXPECT(syncstore_open(path, &options, &store, NULL) == SYNCSTORE_OK);
    backend->wrote = 0;
    EXPECT(syncstore_pull(store, wire, NULL, NULL, NULL, NULL, NULL) == SYNCSTORE_OK);
    EXPECT(syncstore_set(store, "notes", "n1", "{\"by\":\"us\"}", 11, NULL, NULL) == SYNCSTORE_OK);
    backend->wrote = 1;
    return store;
}

#endif

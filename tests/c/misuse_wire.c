/* The functions of a wire of the host's own with NULL for each of their pointers, and sizes that are none. What a call takes is misused in wire.c, which
 * has one. */
#include "expect.h"

#define MISUSE(words, call) EXPECT_FAILS(SYNCSTORE_MISUSE, words, call)

static syncstore_error *error = NULL;
static int destroyed = 0;

static void never(void *user_data, syncstore_wire_call *call)
{
    (void)user_data;
    (void)call;
    EXPECT(!"nothing goes over this wire");
}

static void destroy(void *user_data)
{
    EXPECT(user_data == &destroyed);
    destroyed++;
}

typedef struct later_callbacks {
    syncstore_wire_callbacks known;
    void *further;
} later_callbacks;

static void making(void)
{
    syncstore_wire_callbacks callbacks = SYNCSTORE_WIRE_CALLBACKS_INIT;
    syncstore_wire *wire = NULL;
    later_callbacks later;

    MISUSE("callbacks is NULL", syncstore_wire_custom(NULL, &wire, &error));
    EXPECT(wire == NULL && destroyed == 0);
    callbacks.user_data = &destroyed;
    callbacks.destroy = destroy;
    MISUSE("callbacks.info is NULL", syncstore_wire_custom(&callbacks, &wire, &error));
    callbacks.info = never;
    MISUSE("callbacks.push is NULL", syncstore_wire_custom(&callbacks, &wire, &error));
    callbacks.push = never;
    MISUSE("callbacks.pull is NULL", syncstore_wire_custom(&callbacks, &wire, &error));
    callbacks.pull = never;
    MISUSE("callbacks.checkpoint is NULL", syncstore_wire_custom(&callbacks, &wire, &error));
    callbacks.checkpoint = never;
    EXPECT(destroyed == 4);
    MISUSE("wire is NULL", syncstore_wire_custom(&callbacks, NULL, &error));
    EXPECT(destroyed == 5);

    /* Nothing is read of what is no such struct. */
    callbacks.struct_size--;
    MISUSE("struct_size", syncstore_wire_custom(&callbacks, &wire, &error));
    callbacks.struct_size = (size_t)-1;
    MISUSE("struct_size", syncstore_wire_custom(&callbacks, &wire, &error));
    EXPECT(destroyed == 5);

    memset(&later, 0, sizeof later);
    later.known = callbacks;
    later.known.struct_size = sizeof later;
    later.further = &later;
    MISUSE("does not know", syncstore_wire_custom(&later.known, &wire, &error));
    EXPECT(destroyed == 6);
    later.further = NULL;
    EXPECT_OK(syncstore_wire_custom(&later.known, &wire, &error));
    EXPECT(destroyed == 6);
    syncstore_wire_free(wire);
    EXPECT(destroyed == 7);
}

static void calls_of_null(void)
{
    EXPECT_TEXT("", syncstore_wire_call_request(NULL));
    EXPECT_TEXT("", syncstore_wire_call_target(NULL));
    EXPECT(syncstore_wire_call_client(NULL) == NULL && syncstore_wire_call_cursor(NULL) == NULL);
    EXPECT(syncstore_wire_call_page(NULL) == NULL && syncstore_wire_call_limit(NULL) == 0);
    EXPECT(syncstore_wire_call_wait_ms(NULL) == 0 && syncstore_wire_call_op_count(NULL) == 0);
    EXPECT(syncstore_wire_call_op_member(NULL, 0, "ref") == NULL);
    EXPECT(syncstore_wire_call_op_member(NULL, 0, NULL) == NULL);
    EXPECT(syncstore_wire_call_is_cancelled(NULL) == 0);
    MISUSE("call is NULL", syncstore_wire_call_answer(NULL, "{}", 2, &error));
    MISUSE("call is NULL", syncstore_wire_call_refuse(NULL, 500, NULL, 0, -1, &error));
    MISUSE("call is NULL", syncstore_wire_call_fail(NULL, SYNCSTORE_SETUP, -1, NULL, &error));
}

int main(void)
{
    making();
    calls_of_null();
    EXPECT(syncstore_live_handles() == 0);
    return 0;
}

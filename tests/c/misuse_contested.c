/* What there is only during a sync, and after one, misused: a wire's call, a conflict, and what a resolver answers with. */
#include "contested.h"

#define MISUSE(words, call) EXPECT_FAILS(SYNCSTORE_MISUSE, words, call)
#define CLOSED(call) EXPECT_FAILS(SYNCSTORE_CLOSED, "closed", call)

static const char BAD[] = "\xc3\x28";

static syncstore_error *error = NULL;
static int pushes = 0, asked = 0;

static void on_push(void *data, syncstore_wire_call *call)
{
    EXPECT(data == NULL);
    pushes++;
    EXPECT(syncstore_wire_call_op_member(call, 0, "op") != NULL);
    EXPECT(syncstore_wire_call_op_member(call, 0, NULL) == NULL && syncstore_wire_call_op_member(call, 0, BAD) == NULL);
    MISUSE("json is NULL", syncstore_wire_call_answer(call, NULL, 1, &error));
    MISUSE("json is not UTF-8", syncstore_wire_call_answer(call, BAD, 2, &error));
    MISUSE("json is longer", syncstore_wire_call_answer(call, "{}", (size_t)-1, &error));
    MISUSE("problem is NULL", syncstore_wire_call_refuse(call, 500, NULL, 1, -1, &error));
    MISUSE("problem is not UTF-8", syncstore_wire_call_refuse(call, 500, BAD, 2, -1, &error));
    MISUSE("problem is longer", syncstore_wire_call_refuse(call, 500, "{}", (size_t)-1, -1, &error));
    MISUSE("message is not UTF-8", syncstore_wire_call_fail(call, SYNCSTORE_REFUSED, -1, BAD, &error));
}

static void on_conflict(void *user_data, const syncstore_conflict *conflict, syncstore_answer *answer)
{
    EXPECT(user_data == &asked && conflict != NULL);
    asked++;
    MISUSE("resolution", syncstore_answer_resolve(answer, 77, NULL, 0, &error));
    MISUSE("json is NULL", syncstore_answer_resolve(answer, SYNCSTORE_RESOLUTION_MERGED, NULL, 1, &error));
    MISUSE("json is not UTF-8", syncstore_answer_resolve(answer, SYNCSTORE_RESOLUTION_MERGED, BAD, 2, &error));
    MISUSE("json is longer", syncstore_answer_resolve(answer, SYNCSTORE_RESOLUTION_MERGED, "1", (size_t)-1, &error));
    MISUSE("message is NULL", syncstore_answer_fail(answer, NULL, &error));
    MISUSE("message is not UTF-8", syncstore_answer_fail(answer, BAD, &error));
    EXPECT_OK(syncstore_answer_resolve(answer, SYNCSTORE_RESOLUTION_LEAVE_OPEN, NULL, 0, &error));
}

static void on_a_conflict(syncstore *store, const syncstore_conflict *conflict)
{
    syncstore_text json;
    syncstore_ref op;

    MISUSE("json is NULL", syncstore_conflict_merge(conflict, SYNCSTORE_PREFER_OURS, NULL, &error));
    MISUSE("prefer", syncstore_conflict_merge(conflict, 0, &json, &error));
    EXPECT(json.data == NULL);
    MISUSE("store is NULL", syncstore_resolve(NULL, conflict, SYNCSTORE_RESOLUTION_TAKE_THEIRS, NULL, 0, &op, &error));
    MISUSE("resolution", syncstore_resolve(store, conflict, 77, NULL, 0, &op, &error));
    MISUSE("json is NULL", syncstore_resolve(store, conflict, SYNCSTORE_RESOLUTION_MERGED, NULL, 1, &op, &error));
    MISUSE("json is not UTF-8", syncstore_resolve(store, conflict, SYNCSTORE_RESOLUTION_MERGED, BAD, 2, &op, &error));
    MISUSE("json is longer", syncstore_resolve(store, conflict, SYNCSTORE_RESOLUTION_MERGED, "1", (size_t)-1, &op, &error));
}

int main(void)
{
    contested backend = {NULL, NULL, NULL, 0};
    syncstore_wire *wire = contested_wire(&backend);
    syncstore_resolver *resolver;
    syncstore_conflict_list *list, *again;
    const syncstore_conflict *conflict;
    syncstore *store;
    syncstore_text json;

    EXPECT_OK(syncstore_resolver_new(on_conflict, &asked, NULL, &resolver, &error));
    store = contested_store("contested.db", resolver, &backend, wire);
    syncstore_resolver_free(resolver);
    backend.in_push = on_push;
    EXPECT_FAILS(SYNCSTORE_REFUSED, "it takes none", syncstore_push(store, wire, NULL, NULL, &error));
    EXPECT(pushes == 1 && asked == 0);
    EXPECT_OK(syncstore_pull(store, wire, NULL, NULL, NULL, NULL, &error));
    EXPECT(asked == 1);

    EXPECT_OK(syncstore_conflicts(store, &list, &error));
    conflict = syncstore_conflict_list_at(list, 0);
    EXPECT(syncstore_conflict_list_count(list) == 1);
    on_a_conflict(store, conflict);
    /* Nothing of this has resolved it. */
    EXPECT_OK(syncstore_conflicts(store, &again, &error));
    EXPECT(syncstore_conflict_list_count(again) == 1);
    syncstore_conflict_list_free(again);
    EXPECT_OK(syncstore_resolve(store, conflict, SYNCSTORE_RESOLUTION_TAKE_THEIRS, NULL, 0, NULL, &error));

    EXPECT_OK(syncstore_close(store, NULL, &error));
    CLOSED(syncstore_resolve(store, conflict, SYNCSTORE_RESOLUTION_KEEP_OURS, NULL, 0, NULL, &error));
    syncstore_free(store);
    /* A conflict is what it was listed as, also without its store. */
    EXPECT_TEXT("{\"by\":\"them\"}", syncstore_conflict_remote(conflict));
    EXPECT_OK(syncstore_conflict_merge(conflict, SYNCSTORE_PREFER_OURS, &json, &error));
    EXPECT_TEXT("{\"by\":\"us\"}", json.data);
    syncstore_text_free(&json);
    syncstore_conflict_list_free(list);
    syncstore_wire_free(wire);
    EXPECT(syncstore_live_handles() == 0);
    return 0;
}

/* A backend that answers right as often as not, and else with what is nearly right, with statuses that are none of its business, and with garbage: each sync ends with a
 * status of a wire, what is stored stays sound, and nothing ends the process. `SYNCSTORE_HOSTILE_CASES` is how many calls hostile.c makes; here it is an eightieth. */
#include "hostile.h"

#define CASES 250

#define CHECKPOINT "{\"checkpoint\":\"p\",\"cursor\":\"%u\",\"seq\":%u,\"items\":[{\"collection\":\"c\",\"key\":\"k\",\"value\":{\"x\":1},\"rev\":1}],\"total\":1%s}"
#define ENTRY "{\"seq\":%u,\"ref\":\"01890a5d-ac96-774b-bcce-b302099a%04x\",\"outcome\":\"accepted\",\"op\":\"set\",\"collection\":\"c\",\"key\":\"k%u\",\"value\":[%u],\"rev\":%u}"

/* How far the server's log has come, as far as it remembers. */
static uint32_t seq = 1;

static void answer(syncstore_wire_call *call, char *json)
{
    static const syncstore_status STATUSES[] = {
        SYNCSTORE_UNREACHABLE, SYNCSTORE_TIMED_OUT, SYNCSTORE_UNAVAILABLE, SYNCSTORE_PROTOCOL, SYNCSTORE_UNAUTHENTICATED, SYNCSTORE_FORBIDDEN, SYNCSTORE_REFUSED,
        SYNCSTORE_SETUP, SYNCSTORE_CURSOR_EXPIRED, SYNCSTORE_CHECKPOINT_EXPIRED, SYNCSTORE_CANCELLED, SYNCSTORE_PANIC, SYNCSTORE_OK, SYNCSTORE_MISUSE};
    static const char *const PROBLEMS[] = {"", "{\"code\":\"cursor_expired\",\"restored\":0}", "{\"code\":\"checkpoint_expired\"}", "{\"code\":\"invalid\",\"ops\":[0]}", "{\"detail\":[]}"};
    const char *problem = PROBLEMS[draw(COUNT(PROBLEMS))];
    text words;
    size_t flips;

    EXPECT(syncstore_wire_call_op_member(call, (size_t)draw_number(), draw_name()) == NULL || syncstore_wire_call_op_count(call) > 0);
    switch (draw(48)) {
    case 0: FINE(syncstore_wire_call_fail(call, STATUSES[draw(COUNT(STATUSES))], draw_number(), draw_name(), &error)); return;
    case 1: FINE(syncstore_wire_call_refuse(call, (int32_t)draw(700), problem, strlen(problem), draw_number(), &error)); return;
    case 2: words = draw_text(); ALLOWED(syncstore_wire_call_answer(call, words.data, words.len, &error), SYNCSTORE_PROTOCOL); return;
    case 3: return;
    case 4:
    case 5:
    case 6:
        for (flips = 1 + draw(3); flips > 0; flips--) {
            json[draw((uint32_t)strlen(json))] ^= (char)(1 << draw(7));
        }
        break;
    default: break;
    }
    ALLOWED(syncstore_wire_call_answer(call, json, strlen(json), &error), SYNCSTORE_PROTOCOL);
    ALLOWED(syncstore_wire_call_answer(call, json, strlen(json), &error), SYNCSTORE_PROTOCOL);
}

static void info(void *user_data, syncstore_wire_call *call)
{
    char json[300];

    EXPECT(user_data == &seq);
    sprintf(json, "{\"epoch\":\"e\",\"seq\":%u,\"limits\":{\"name\":%u,\"value\":1048576},\"formats\":[\"application/json\"],\"encodings\":[]}", seq, draw(8) == 0 ? draw(300) : 128);
    answer(call, json);
}

static void push(void *user_data, syncstore_wire_call *call)
{
    static char json[1 << 16];
    size_t count = syncstore_wire_call_op_count(call), place, len;

    EXPECT(user_data == &seq && count > 0);
    len = (size_t)sprintf(json, "{\"results\":[");
    for (place = 0; place < count && len < sizeof json - 300; place++) {
        const char *rejected = draw(6) == 0 ? "\"rejected\",\"code\":\"forbidden\",\"message\":\"no\"" : "\"accepted\"";
        len += (size_t)sprintf(json + len, "%s{\"ref\":%s,\"outcome\":%s,\"seq\":%u}", place == 0 ? "" : ",", syncstore_wire_call_op_member(call, place, "ref"), rejected, ++seq);
    }
    sprintf(json + len, "],\"seq\":%u}", seq);
    answer(call, json);
}

static void pull(void *user_data, syncstore_wire_call *call)
{
    static char json[4000];
    const char *cursor = syncstore_wire_call_cursor(call);
    uint32_t from = cursor == NULL ? 0 : (uint32_t)strtoul(cursor, NULL, 10), at = from, more = draw(20);
    size_t len;

    EXPECT(user_data == &seq);
    seq += draw(3);
    len = (size_t)sprintf(json, "{\"entries\":[");
    for (; at < seq && at - from < 8; at++) {
        len += (size_t)sprintf(json + len, "%s" ENTRY, at == from ? "" : ",", at + 1, (at + 1) & 0xffff, at % 5, at, at + 1);
    }
    sprintf(json + len, "],\"cursor\":\"%u\",\"seq\":%u,\"more\":%s}", at, seq, at < seq || more == 0 ? "true" : "false");
    answer(call, json);
}

static void checkpoint(void *user_data, syncstore_wire_call *call)
{
    char json[400];

    EXPECT(user_data == &seq);
    sprintf(json, CHECKPOINT, seq, seq, draw(4) == 0 ? ",\"next\":\"p2\"" : "");
    answer(call, json);
}

static void write_some(syncstore *store)
{
    char key[8];
    uint32_t more;

    for (more = draw(4); more > 0; more--) {
        sprintf(key, "k%u", draw(5));
        ALLOWED(syncstore_set(store, "c", key, "{\"mine\":1}", 10, &last_op, &error), SYNCSTORE_LIMIT);
        ALLOWED(syncstore_patch(store, "c", key, "[{\"op\":\"add\",\"path\":\"/p\",\"value\":1}]", 36, NULL, &error), SYNCSTORE_LIMIT, SYNCSTORE_PATCH_FAILED, SYNCSTORE_NO_ITEM);
        ALLOWED(syncstore_add_tag(store, "c", key, "t", NULL, &error), SYNCSTORE_LIMIT, SYNCSTORE_NO_ITEM);
    }
}

#define SYNCED(call)                                                                                                                                                \
    ALLOWED(call, SYNCSTORE_UNREACHABLE, SYNCSTORE_TIMED_OUT, SYNCSTORE_UNAVAILABLE, SYNCSTORE_PROTOCOL, SYNCSTORE_UNAUTHENTICATED, SYNCSTORE_FORBIDDEN,            \
            SYNCSTORE_REFUSED, SYNCSTORE_SETUP, SYNCSTORE_CURSOR_EXPIRED, SYNCSTORE_CHECKPOINT_EXPIRED, SYNCSTORE_CANCELLED, SYNCSTORE_DIVERGED)

static void sync_some(const char *path, syncstore_wire *wire, unsigned long first, unsigned long last)
{
    syncstore_options options = SYNCSTORE_OPTIONS_INIT;
    syncstore *store;
    syncstore_text report;
    int32_t is_ok;

    options.retry_attempts = 1;
    options.pages = 12;
    /* All on this thread, so that the same is drawn each time. */
    options.no_prefetch = 1;
    FINE(syncstore_open(path, &options, &store, &error));
    for (; first < last; first++) {
        begin_case(first);
        write_some(store);
        switch (draw(4)) {
        case 0: SYNCED(syncstore_push(store, wire, NULL, NULL, &error)); break;
        case 1: SYNCED(syncstore_pull(store, wire, NULL, NULL, NULL, NULL, &error)); break;
        default: SYNCED(syncstore_sync(store, wire, NULL, NULL, NULL, NULL, &error)); break;
        }
    }
    FINE(syncstore_check(store, &is_ok, &report, &error));
    if (is_ok != 1) {
        fprintf(stderr, "%s: %s\n", path, report.data);
    }
    EXPECT(is_ok == 1);
    syncstore_text_free(&report);
    syncstore_free(store);
}

int main(void)
{
    const char *asked = getenv("SYNCSTORE_HOSTILE_CASES");
    unsigned long cases = asked != NULL ? strtoul(asked, NULL, 10) / 80 : CASES, number;
    syncstore_wire_callbacks callbacks = SYNCSTORE_WIRE_CALLBACKS_INIT;
    syncstore_wire *wire;
    char path[40];

    callbacks.user_data = &seq;
    callbacks.info = info;
    callbacks.push = push;
    callbacks.pull = pull;
    callbacks.checkpoint = checkpoint;
    FINE(syncstore_wire_custom(&callbacks, &wire, &error));
    /* Now and then another replica, which has yet to be loaded. */
    for (number = 0; number < cases; number += 100) {
        sprintf(path, "replica%lu.db", number);
        sync_some(path, wire, number, number + 100);
    }
    syncstore_wire_free(wire);
    EXPECT(syncstore_live_handles() == 0);
    return 0;
}

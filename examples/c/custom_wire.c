/*
 * A wire of one's own: two replicas sync through a plain file.
 *
 * The file is the server: an epoch, and then one line for each operation that was decided, in the order of the log. This server keeps to docs/PROTOCOL.md in what it
 * takes, which is little: it sets and deletes values. Patches, batches, index entries, relations and tags it refuses, with the code "policy", so that
 * nobody waits for them. It never prunes its log, so a checkpoint is always that of the empty log, from which a new replica reads all there is.
 *
 *     custom_wire
 *
 * The replicas are the files wire-laptop.db and wire-phone.db in the working directory, the server's file is wire-server.log; run it
 * again, and they go on from where they are. Build it with
 *
 *     cc -Iinclude examples/c/custom_wire.c -lsyncstore -lpthread -o custom_wire
 */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "syncstore.h"

/* ---- texts that grow ---- */

typedef struct text {
    char *data;
    size_t len, room;
} text;

static void add(text *to, const char *format, ...)
{
    va_list values;
    int more;

    va_start(values, format);
    more = vsnprintf(NULL, 0, format, values);
    va_end(values);
    if (more < 0) {
        abort();
    }
    if (to->len + (size_t)more + 1 > to->room) {
        to->room = (to->len + (size_t)more + 1) * 2;
        to->data = realloc(to->data, to->room);
        if (to->data == NULL) {
            abort();
        }
    }
    va_start(values, format);
    vsnprintf(to->data + to->len, to->room - to->len, format, values);
    va_end(values);
    to->len += (size_t)more;
}

/* ---- the log ---- */

/* A line of the file: where the operation stands, whose it is, and the entry as the inbox tells it. A tab stands between the members. JSON has none but as white space, which
 * is made a blank before it is written. Collection and key are JSON texts, and compared as such. */
enum { CLIENT, REF, TOLD, COLLECTION, KEY, REV, CODE, ENTRY, MEMBERS };

typedef struct server {
    const char *path;
    pthread_mutex_t lock; /* a background sync pushes while a pull waits */
} server;

typedef struct history {
    text file;
    char *epoch;
    char **lines[MEMBERS];
    size_t count; /* the seq of the last entry */
    size_t room;
    size_t whole; /* bytes of the file up to the end of its last whole line */
} history;

static void forget(history *log)
{
    int member;

    for (member = 0; member < MEMBERS; member++) {
        free(log->lines[member]);
    }
    free(log->file.data);
}

static void take_line(history *log, char *line)
{
    int member;

    if (log->count == log->room) {
        log->room = log->room * 2 + 64;
        for (member = 0; member < MEMBERS; member++) {
            log->lines[member] = realloc(log->lines[member], log->room * sizeof(char *));
            if (log->lines[member] == NULL) {
                abort();
            }
        }
    }
    for (member = 0; member < MEMBERS; member++) {
        char *end = strchr(line, '\t');

        log->lines[member][log->count] = line;
        if (end != NULL) {
            *end = '\0';
            line = end + 1;
        }
    }
    log->count++;
}

/* Reads the file, and makes it where there is none. */
static int read_log(server *server, history *log)
{
    FILE *file = fopen(server->path, "a+");
    char *line, *end;
    char piece[4096];
    size_t read;

    memset(log, 0, sizeof *log);
    if (file == NULL) {
        return 0;
    }
    rewind(file);
    while ((read = fread(piece, 1, sizeof piece - 1, file)) > 0) {
        piece[read] = '\0';
        add(&log->file, "%s", piece);
    }
    if (log->file.len == 0) {
        add(&log->file, "%lx-%lx\n", (unsigned long)time(NULL), (unsigned long)getpid());
        fputs(log->file.data, file);
    }
    fclose(file);
    log->epoch = line = log->file.data;
    /* A line that a crash cut short has no end: it was never answered, and does not count. */
    for (end = strchr(line, '\n'); end != NULL; end = strchr(line, '\n')) {
        *end = '\0';
        if (line != log->epoch) {
            take_line(log, line);
        }
        line = end + 1;
    }
    log->whole = (size_t)(line - log->epoch);
    return 1;
}

/* The item's rev: the place of its last change, or 0 where that removed it. */
static unsigned long rev_of(const history *log, const char *collection, const char *key)
{
    size_t place;

    for (place = log->count; place > 0; place--) {
        if (log->lines[CODE][place - 1][0] == '\0' && strcmp(log->lines[KEY][place - 1], key) == 0
            && strcmp(log->lines[COLLECTION][place - 1], collection) == 0) {
            return strtoul(log->lines[REV][place - 1], NULL, 10);
        }
    }
    return 0;
}

static size_t place_of(const history *log, const char *ref)
{
    size_t place;

    for (place = 0; place < log->count && strcmp(log->lines[REF][place], ref) != 0; place++) {
    }
    return place;
}

/* The place that a cursor stands for, or -1 where it is of another log than this: a file that was put back. */
static long place_of_cursor(const history *log, const char *cursor)
{
    size_t len = strlen(log->epoch);
    unsigned long place;

    if (cursor == NULL) {
        return 0;
    }
    if (strncmp(cursor, log->epoch, len) != 0 || cursor[len] != '.') {
        return -1;
    }
    place = strtoul(cursor + len + 1, NULL, 10);
    return place > log->count ? -1 : (long)place;
}

/* ---- the four calls ---- */

static void answer(syncstore_wire_call *call, text *json)
{
    syncstore_wire_call_answer(call, json->data, json->len, NULL);
    free(json->data);
}

static void unreadable(syncstore_wire_call *call)
{
    syncstore_wire_call_fail(call, SYNCSTORE_UNREACHABLE, -1, "the file cannot be read or written", NULL);
}

static void rewound(syncstore_wire_call *call)
{
    static const char problem[] = "{\"code\":\"cursor_expired\",\"reason\":\"rewound\"}";

    syncstore_wire_call_refuse(call, 410, problem, sizeof problem - 1, -1, NULL);
}

static void info(void *user_data, syncstore_wire_call *call)
{
    server *server = user_data;
    text json = {NULL, 0, 0};
    history log;
    int there;

    pthread_mutex_lock(&server->lock);
    there = read_log(server, &log);
    pthread_mutex_unlock(&server->lock);
    if (!there) {
        unreadable(call);
        return;
    }
    add(&json, "{\"database\":\"%s\",\"epoch\":\"%s\",\"seq\":%lu,\"limits\":{},", log.epoch, log.epoch,
        (unsigned long)log.count);
    add(&json, "\"formats\":[\"application/json\"],\"encodings\":[]}");
    answer(call, &json);
    forget(&log);
}

/* A checkpoint of the empty log: the inbox is read from there. */
static void checkpoint(void *user_data, syncstore_wire_call *call)
{
    server *server = user_data;
    text json = {NULL, 0, 0};
    history log;
    int there;

    pthread_mutex_lock(&server->lock);
    there = read_log(server, &log);
    pthread_mutex_unlock(&server->lock);
    if (!there) {
        unreadable(call);
        return;
    }
    add(&json, "{\"checkpoint\":\"empty\",\"cursor\":\"%s.0\",\"seq\":0,\"items\":[],\"total\":0}", log.epoch);
    answer(call, &json);
    forget(&log);
}

/* Decides one operation: its line goes to the file, if it has one, and its result to the answer. */
static void decide(history *log, syncstore_wire_call *call, size_t place, text *results, text *lines)
{
#define MEMBER(name) syncstore_wire_call_op_member(call, place, name)
    const char *ref = MEMBER("ref"), *op = MEMBER("op"), *value = MEMBER("value");
    const char *collection = MEMBER("collection"), *key = MEMBER("key");
    unsigned long seq = (unsigned long)log->count + 1, from, rev;
    size_t before = place_of(log, ref);
    text line = {NULL, 0, 0};
    char *at;

    add(results, "%s{\"ref\":%s,", results->data[results->len - 1] == '[' ? "" : ",", ref);
    if (before < log->count) { /* It was decided already: what it was then, it is now. */
        seq = (unsigned long)before + 1;
        if (log->lines[CODE][before][0] == '\0') {
            add(results, "\"outcome\":\"accepted\",\"seq\":%lu}", seq);
        } else {
            add(results, "\"outcome\":\"rejected\",\"seq\":%lu,\"code\":\"%s\"}", seq, log->lines[CODE][before]);
        }
        return;
    }
    from = rev_of(log, collection, key);
    /* client, ref, told, collection, key, rev, code, entry */
    if (strcmp(op, "\"patch\"") == 0 || MEMBER("batch") || MEMBER("index") || MEMBER("relation") || MEMBER("tag")) {
        add(results, "\"outcome\":\"rejected\",\"seq\":%lu,\"code\":\"policy\",", seq);
        add(results, "\"message\":\"this server only sets and deletes values\"}");
        add(&line, "%s\t%s\tsender\t%s\t%s\t0\tpolicy\t", syncstore_wire_call_client(call), ref, collection, key);
        add(&line, "{\"seq\":%lu,\"ref\":%s,\"outcome\":\"rejected\",\"code\":\"policy\",", seq, ref);
        add(&line, "\"message\":\"this server only sets and deletes values\"}");
    } else {
        int sets = strcmp(op, "\"set\"") == 0, changes = sets || from != 0;

        rev = changes ? seq : 0;
        add(results, "\"outcome\":\"accepted\",\"seq\":%lu}", seq);
        /* What changed nothing is told to its sender only. */
        add(&line, "%s\t%s\t%s\t%s\t%s\t%lu\t\t", syncstore_wire_call_client(call), ref, changes ? "all" : "sender",
            collection, key, sets ? rev : 0);
        add(&line, "{\"seq\":%lu,\"ref\":%s,\"outcome\":\"accepted\",\"op\":%s,\"collection\":%s,\"key\":%s,", seq, ref,
            op, collection, key);
        if (sets) {
            add(&line, "\"value\":");
            at = line.data + line.len;
            add(&line, "%s", value);
            at = line.data + (line.len - strlen(value));
            for (; *at != '\0'; at++) { /* White space between tokens: within texts JSON has it escaped. */
                *at = strchr("\t\r\n", *at) != NULL ? ' ' : *at;
            }
            add(&line, ",");
        }
        add(&line, "\"from\":%lu,\"rev\":%lu}", from, rev);
    }
    add(lines, "%s\n", line.data);
    take_line(log, line.data);
#undef MEMBER
}

/* Whether an operation follows a refused one on its item: its sender makes it anew, without that. */
static int follows_refused(const history *log, size_t first, syncstore_wire_call *call, size_t place)
{
    const char *collection = syncstore_wire_call_op_member(call, place, "collection");
    const char *key = syncstore_wire_call_op_member(call, place, "key");
    size_t entry;

    for (entry = first; entry < log->count; entry++) {
        if (log->lines[CODE][entry][0] != '\0' && strcmp(log->lines[KEY][entry], key) == 0
            && strcmp(log->lines[COLLECTION][entry], collection) == 0) {
            return 1;
        }
    }
    return 0;
}

static int append(const server *server, size_t whole, const text *lines)
{
    FILE *file = fopen(server->path, "a");
    int written;

    if (file == NULL) {
        return 0;
    }
    written = ftruncate(fileno(file), (off_t)whole) == 0;
    written = (lines->len == 0 || fwrite(lines->data, 1, lines->len, file) == lines->len) && written;
    /* On the disk before it is answered: an accepted operation is never lost. */
    written = fflush(file) == 0 && fsync(fileno(file)) == 0 && written;
    return fclose(file) == 0 && written;
}

static void push(void *user_data, syncstore_wire_call *call)
{
    server *server = user_data;
    text results = {NULL, 0, 0}, lines = {NULL, 0, 0}, json = {NULL, 0, 0};
    size_t place, first, entry;
    history log;

    pthread_mutex_lock(&server->lock);
    if (!read_log(server, &log)) {
        unreadable(call);
    } else if (place_of_cursor(&log, syncstore_wire_call_cursor(call)) < 0) {
        rewound(call);
    } else {
        first = log.count;
        add(&results, "[");
        for (place = 0; place < syncstore_wire_call_op_count(call); place++) {
            if (follows_refused(&log, first, call, place)) {
                add(&results, "%s{\"ref\":%s,\"outcome\":\"skipped\"}", results.len > 1 ? "," : "",
                    syncstore_wire_call_op_member(call, place, "ref"));
            } else {
                decide(&log, call, place, &results, &lines);
            }
        }
        add(&json, "{\"seq\":%lu,\"results\":%s]}", (unsigned long)log.count, results.data);
        if (append(server, log.whole, &lines)) {
            answer(call, &json);
        } else {
            unreadable(call);
            free(json.data);
        }
        for (entry = first; entry < log.count; entry++) {
            free(log.lines[CLIENT][entry]); /* The line begins there. */
        }
    }
    pthread_mutex_unlock(&server->lock);
    free(results.data);
    free(lines.data);
    forget(&log);
}

/* Answers with what stands behind a cursor; 0 where that is nothing, and the answer may be held. */
static int tell(server *server, syncstore_wire_call *call, int may_hold)
{
    const char *client = syncstore_wire_call_client(call);
    text entries = {NULL, 0, 0}, json = {NULL, 0, 0};
    uint32_t told = 0, limit = syncstore_wire_call_limit(call);
    long place;
    history log;
    int there;

    pthread_mutex_lock(&server->lock);
    there = read_log(server, &log);
    pthread_mutex_unlock(&server->lock);
    if (!there) {
        unreadable(call);
        forget(&log);
        return 1;
    }
    place = place_of_cursor(&log, syncstore_wire_call_cursor(call));
    if (place < 0) {
        rewound(call);
        forget(&log);
        return 1;
    }
    add(&entries, "[");
    for (; place < (long)log.count && told < limit; place++) {
        if (strcmp(log.lines[TOLD][place], "all") == 0 || strcmp(log.lines[CLIENT][place], client) == 0) {
            add(&entries, "%s%s", told > 0 ? "," : "", log.lines[ENTRY][place]);
            told++;
        }
    }
    if (told > 0 || !may_hold) {
        add(&json, "{\"entries\":%s],\"cursor\":\"%s.%ld\",\"seq\":%ld,\"more\":%s}", entries.data, log.epoch, place,
            place, place < (long)log.count ? "true" : "false");
        answer(call, &json);
    }
    free(entries.data);
    forget(&log);
    return told > 0 || !may_hold;
}

static void pull(void *user_data, syncstore_wire_call *call)
{
    struct timespec nap = {0, 20 * 1000 * 1000};
    int64_t left = syncstore_wire_call_wait_ms(call);

    while (!tell(user_data, call, left > 0)) {
        nanosleep(&nap, NULL);
        left -= 20;
        if (syncstore_wire_call_is_cancelled(call)) {
            return; /* Nobody waits for an answer. */
        }
    }
}

/* ---- two replicas ---- */

/* The error comes by its address: the variable itself might be read before the call has put anything into it. */
static void must(syncstore_status status, syncstore_error **error)
{
    if (status < 0) {
        fprintf(stderr, "%s: %s\n", syncstore_status_name(status), syncstore_error_message(*error));
        syncstore_error_free(*error);
        exit(1);
    }
}

static void set(syncstore *store, const char *key, const char *json)
{
    syncstore_error *error;

    must(syncstore_set(store, "notes", key, json, strlen(json), NULL, &error), &error);
}

static void sync_with(syncstore *store, syncstore_wire *wire)
{
    syncstore_error *error;
    syncstore_report *report;

    must(syncstore_sync(store, wire, NULL, NULL, NULL, &report, &error), &error);
    printf("%s\n", syncstore_report_json(report));
    syncstore_report_free(report);
}

static void expect_equal(syncstore *one, syncstore *other, const char *key, const char *json)
{
    syncstore_text first, second;
    int equal;

    syncstore_get(one, "notes", key, &first, NULL);
    syncstore_get(other, "notes", key, &second, NULL);
    printf("%s: %s, %s\n", key, first.data ? first.data : "-", second.data ? second.data : "-");
    equal = json == NULL ? first.data == NULL && second.data == NULL
                         : first.data != NULL && second.data != NULL && strcmp(first.data, json) == 0
                               && strcmp(second.data, json) == 0;
    syncstore_text_free(&first);
    syncstore_text_free(&second);
    if (!equal) {
        fprintf(stderr, "the replicas differ at %s\n", key);
        exit(1);
    }
}

int main(void)
{
    static const char patch[] = "[{\"op\":\"replace\",\"path\":\"\",\"value\":0}]";
    static server file = {"wire-server.log", PTHREAD_MUTEX_INITIALIZER};
    syncstore_wire_callbacks callbacks = SYNCSTORE_WIRE_CALLBACKS_INIT;
    syncstore_sync_policy policy = SYNCSTORE_SYNC_POLICY_INIT;
    syncstore *laptop, *phone;
    syncstore_wire *wire;
    syncstore_error *error;
    syncstore_outcome *outcome;
    syncstore_ref refused, last;

    callbacks.user_data = &file;
    callbacks.info = info;
    callbacks.push = push;
    callbacks.pull = pull;
    callbacks.checkpoint = checkpoint;
    must(syncstore_wire_custom(&callbacks, &wire, &error), &error);
    must(syncstore_open("wire-laptop.db", NULL, &laptop, &error), &error);
    must(syncstore_open("wire-phone.db", NULL, &phone, &error), &error);

    /* Each writes by itself, one note at the same time as the other. */
    set(laptop, "n1", "{\"title\":\"Milk\"}");
    set(laptop, "n2", "\"from\\tthe laptop\"");
    set(phone, "n2", "\"from the phone\"");
    set(phone, "n3", "[1,\n\t2]");
    sync_with(laptop, wire);
    sync_with(phone, wire);
    sync_with(laptop, wire);
    expect_equal(laptop, phone, "n1", "{\"title\":\"Milk\"}");
    expect_equal(laptop, phone, "n2", "\"from the phone\"");
    must(syncstore_delete(laptop, "notes", "n1", NULL, &error), &error);
    must(syncstore_delete(laptop, "notes", "never", NULL, &error), &error);

    /* What the server does not take is refused, and everything else goes on. */
    must(syncstore_patch(phone, "notes", "n2", patch, sizeof patch - 1, &refused, &error), &error);
    sync_with(phone, wire);
    must(syncstore_outcome_of(phone, &refused, &outcome, &error), &error);
    printf("refused: %s, %s\n", syncstore_outcome_code(outcome), syncstore_outcome_message(outcome));
    syncstore_outcome_free(outcome);
    sync_with(laptop, wire);
    sync_with(phone, wire);
    expect_equal(laptop, phone, "n1", NULL);
    expect_equal(laptop, phone, "n2", "\"from the phone\"");

    /* In the background the pull is held until there is something new. */
    policy.debounce_ms = -1;
    must(syncstore_start(laptop, wire, &policy, &error), &error);
    must(syncstore_start(phone, wire, &policy, &error), &error);
    must(syncstore_set(phone, "notes", "n4", "4", 1, &last, &error), &error);
    must(syncstore_wait(phone, &last, 60000, &outcome, &error), &error);
    if (syncstore_outcome_kind_of(outcome) != SYNCSTORE_OUTCOME_ACCEPTED) {
        fprintf(stderr, "the background sync did not bring it to the server\n");
        return 1;
    }
    syncstore_outcome_free(outcome);
    must(syncstore_stop(phone, 10000, NULL, &error), &error);
    must(syncstore_stop(laptop, 10000, NULL, &error), &error);
    sync_with(laptop, wire);
    expect_equal(laptop, phone, "n4", "4");

    syncstore_wire_free(wire);
    syncstore_free(laptop);
    syncstore_free(phone);
    return syncstore_live_handles() == 0 ? 0 : 1;
}

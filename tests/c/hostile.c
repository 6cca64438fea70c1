/* Some 20,000 calls with values that no well-meaning program gives, wherever the local model takes texts, numbers, tokens and refs: each answers with one of the statuses
 * that its comment names, gives nothing where it fails, and nothing ends the process. `SYNCSTORE_HOSTILE_CASES` is how many.
 *
 * With arguments it plays what these files say instead, as a fuzzer does (fuzz/README.md, query_arguments): calls that read, whatever they are asked. */
#include "hostile.h"

#define CASES 20000

static syncstore *store;

static int32_t take_row(void *user_data, const syncstore_row *row)
{
    EXPECT(user_data == &last_op && row->key != NULL && row->key_len > 0);
    return (int32_t)draw(4) - 1;
}

static void look_at(syncstore_rows *rows)
{
    size_t count = syncstore_rows_count(rows), place = 0, len;
    const char *token;
    syncstore_row row;

    for (; syncstore_rows_next(rows, &row) == 1; place++) {
        syncstore_index_value value;
        const char *words;
        int32_t has = syncstore_rows_order_value(rows, place, &value, &words, &len);

        EXPECT(row.key != NULL && (row.order != NULL) == (has == 1));
        EXPECT((words != NULL) == (has == 1 && value.index_type == SYNCSTORE_INDEX_TEXT));
    }
    EXPECT(place == count && syncstore_rows_at(rows, count, &row) == 0 && row.key == NULL);
    token = syncstore_rows_token(rows, &len);
    if (token != NULL && len < SCRATCH) {
        memcpy(last_token, token, len);
        last_token_len = len;
    }
}

static void tell(syncstore_query *query)
{
    text words = draw_text();
    uint32_t nanos = draw(3) == 0 ? draw(UINT32_MAX) : draw(1000000000);

    switch (draw(17)) {
    case 0: FINE(syncstore_query_index(query, draw_name_or("by"), &error)); break;
    case 1: FINE(syncstore_query_index(query, draw_name_or("hand"), &error)); break;
    case 2: FINE(syncstore_query_prefix(query, words.data, words.len, &error)); break;
    case 3: FINE(syncstore_query_reverse(query, (int32_t)draw(3), &error)); break;
    case 4: FINE(syncstore_query_limit(query, draw(2) == 0 ? (int64_t)draw(8) : draw_number(), &error)); break;
    case 5:
    case 6: words = draw_token(); FINE(syncstore_query_resume(query, words.data, words.len, &error)); break;
    case 7: FINE(syncstore_query_keys_only(query, (int32_t)draw(3), &error)); break;
    case 8: FINE(syncstore_query_from_text(query, words.data, words.len, &error)); break;
    case 9: FINE(syncstore_query_to_text(query, words.data, words.len, &error)); break;
    case 10: FINE(syncstore_query_from_integer(query, draw_number(), &error)); break;
    case 11: FINE(syncstore_query_to_unsigned(query, (uint64_t)draw_number(), &error)); break;
    case 12: FINE(syncstore_query_from_real(query, draw_real(), &error)); break;
    case 13: FINE(syncstore_query_to_real(query, draw_real(), &error)); break;
    case 14: FINE(syncstore_query_from_instant(query, draw_number(), nanos, &error)); break;
    case 15: FINE(syncstore_query_to_instant(query, draw_number(), nanos, &error)); break;
    default: FINE(syncstore_query_from_bool(query, (int32_t)draw(3), &error)); break;
    }
}

static void query(void)
{
    syncstore_query *query;
    syncstore_rows *rows;
    uint32_t more;

    FINE(syncstore_query_new(store, draw_name_or("c"), &query, &error));
    if (query == NULL) {
        return;
    }
    for (more = draw(6); more > 0; more--) {
        tell(query);
    }
    EXPECT((ALLOWED(syncstore_query_run(query, &rows, &error), SYNCSTORE_RESUME_TOKEN, SYNCSTORE_INDEX) == SYNCSTORE_OK) == (rows != NULL));
    look_at(rows);
    ALLOWED(syncstore_query_for_each(query, take_row, &last_op, &error), SYNCSTORE_RESUME_TOKEN, SYNCSTORE_INDEX);
    syncstore_query_free(query);
    syncstore_rows_free(rows);
}

static void list(void)
{
    syncstore_list_options options = SYNCSTORE_LIST_OPTIONS_INIT;
    syncstore_rows *rows;

    options.prefix = draw(2) == 0 ? NULL : draw_name();
    options.from = draw(2) == 0 ? NULL : draw_name();
    options.to = draw(2) == 0 ? NULL : draw_name();
    options.after = draw(2) == 0 ? NULL : draw_name();
    options.limit = (uint64_t)draw_number();
    options.reverse = draw(2) == 0 ? (int64_t)draw(2) : draw_number();
    options.struct_size += draw(20) == 0 ? (size_t)draw_number() : 0;
    if (options.struct_size <= sizeof options || options.struct_size > 1 << 16) {
        EXPECT((FINE(syncstore_list(store, draw_name_or("c"), &options, &rows, &error)) == SYNCSTORE_OK) == (rows != NULL));
        look_at(rows);
        syncstore_rows_free(rows);
    }
}

static void select_rows(void)
{
    static const char *const STATEMENTS[] = {
        "SELECT ?", "SELECT ?1, ?1", "SELECT :a, @b, $c", "SELECT key FROM items WHERE collection = 'c' AND key > ? LIMIT ?",
        "SELECT value ->> ? FROM items WHERE collection = 'c'", "SELECT json_extract(?, ?)", "SELECT ? LIKE ?", "SELECT ? GLOB ?", "SELECT zeroblob(?)",
        "SELECT substr(?, ?, ?)", "SELECT group_concat(key, ?) FROM items", "SELECT date(?, ?)", "SELECT a.key, b.key FROM items a, items b WHERE a.collection = 'c'",
        "SELECT CAST(? AS TEXT)", "SELECT 1 / ?, ? % ?, ? << ?", "SELECT * FROM automatic_entries WHERE order_key > ?"};
    syncstore_sql *sql;
    syncstore_sql_rows *rows;
    text words = draw_text();
    uint32_t more;

    if (draw(4) != 0) {
        words.data = STATEMENTS[draw(COUNT(STATEMENTS))];
        words.len = strlen(words.data);
    }
    FINE(syncstore_sql_new(store, words.data, words.len, &sql, &error));
    if (sql == NULL) {
        return;
    }
    for (more = draw(5); more > 0; more--) {
        const char *name = draw(4) != 0 ? NULL : draw_name_or(":a");

        words = draw_text();
        switch (draw(7)) {
        case 0: FINE(syncstore_sql_bind_null(sql, name, &error)); break;
        case 1: FINE(syncstore_sql_bind_integer(sql, name, draw_number(), &error)); break;
        case 2: FINE(syncstore_sql_bind_real(sql, name, draw_real(), &error)); break;
        case 3: FINE(syncstore_sql_bind_text(sql, name, words.data, words.len, &error)); break;
        case 4: FINE(syncstore_sql_bind_blob(sql, name, words.data, words.len, &error)); break;
        case 5: FINE(syncstore_sql_limits(sql, (uint64_t)draw_number(), (uint64_t)draw_number(), draw_number(), &error)); break;
        default: FINE(syncstore_sql_unbind(sql, &error)); break;
        }
    }
    EXPECT((ALLOWED(syncstore_sql_run(sql, &rows, &error), SYNCSTORE_SQL) == SYNCSTORE_OK) == (rows != NULL));
    EXPECT(syncstore_sql_rows_type(rows, (size_t)draw_number(), (size_t)draw_number()) >= 0);
    EXPECT(syncstore_sql_rows_column(rows, draw_name()) >= -1);
    syncstore_sql_rows_free(rows);
    syncstore_sql_free(sql);
}

static void search(void)
{
    syncstore_search_options options = SYNCSTORE_SEARCH_OPTIONS_INIT;
    text words = draw_text();
    syncstore_hits *hits;

    options.limit = (uint64_t)draw_number();
    options.mark_before = draw(2) == 0 ? NULL : draw_name();
    options.mark_behind = draw(2) == 0 ? NULL : draw_name();
    EXPECT((ALLOWED(syncstore_search(store, draw(8) == 0 ? draw_name() : "s", (int32_t)draw(5), words.data, words.len, &options, &hits, &error), SYNCSTORE_SEARCH) == SYNCSTORE_OK)
           == (hits != NULL));
    EXPECT(syncstore_hits_count(hits) == 0 || syncstore_hits_snippet(hits, 0, NULL) != NULL);
    syncstore_hits_free(hits);
}

static void declare(void)
{
    const char *name = draw_name(), *collection = draw_name_or("w"), *fields[3];
    size_t count = draw(COUNT(fields) + 1), place;

    for (place = 0; place < COUNT(fields); place++) {
        fields[place] = draw_name();
    }
    ALLOWED(syncstore_declare_index(store, collection, name, fields[0], (int32_t)draw(3), NULL, &error), SYNCSTORE_INDEX, SYNCSTORE_LIMIT);
    ALLOWED(syncstore_build_index(store, collection, name, NULL, NULL, &error), SYNCSTORE_INDEX);
    FINE(syncstore_drop_index(store, collection, name, NULL, &error));
    name = draw_name();
    if (name == NULL || strcmp(name, "s") != 0) {
        ALLOWED(syncstore_declare_search(store, name, draw_name_or("w"), fields, count, NULL, &error), SYNCSTORE_SEARCH, SYNCSTORE_LIMIT);
        ALLOWED(syncstore_build_search(store, name, NULL, NULL, &error), SYNCSTORE_SEARCH);
        FINE(syncstore_drop_search(store, name, NULL, &error));
    }
}

#define WRITTEN(call) ALLOWED(call, SYNCSTORE_LIMIT, SYNCSTORE_JSON, SYNCSTORE_NO_ITEM, SYNCSTORE_PATCH_FAILED)

static void write_one(void)
{
    const char *collection = draw(8) == 0 ? "c" : draw_name_or("w"), *key = draw_name_or("k01");
    text json = draw_text();
    syncstore_ref op;
    syncstore_status status;

    switch (draw(9)) {
    case 0: status = WRITTEN(syncstore_patch(store, collection, key, json.data, json.len, &op, &error)); break;
    case 1: status = WRITTEN(syncstore_delete(store, collection, key, &op, &error)); break;
    case 2: status = WRITTEN(syncstore_set_index(store, collection, key, draw_name_or("hand"), draw_name(), &op, &error)); break;
    case 3: status = WRITTEN(syncstore_delete_index(store, collection, key, draw_name(), &op, &error)); break;
    case 4: status = WRITTEN(syncstore_set_relation(store, collection, key, draw_name(), draw_name_or("in"), draw_name_or("c"), draw_name(), &op, &error)); break;
    case 5: status = WRITTEN(syncstore_delete_relation(store, collection, key, draw_name(), &op, &error)); break;
    case 6: status = WRITTEN(syncstore_add_tag(store, collection, key, draw_name(), &op, &error)); break;
    case 7: status = WRITTEN(syncstore_remove_tag(store, collection, key, draw_name(), &op, &error)); break;
    default: status = WRITTEN(syncstore_set(store, collection, key, json.data, json.len, &op, &error)); break;
    }
    if (status == SYNCSTORE_OK) {
        last_op = op;
    }
}

static void write_together(void)
{
    syncstore_batch *batch;
    uint32_t more;

    FINE(syncstore_batch_new(store, &batch, &error));
    for (more = draw(4); more > 0; more--) {
        text json = draw_text();

        WRITTEN(syncstore_batch_set(batch, draw_name_or("w"), draw_name(), json.data, json.len, &error));
        WRITTEN(syncstore_batch_patch(batch, "w", draw_name(), json.data, json.len, &error));
        WRITTEN(syncstore_batch_add_tag(batch, "w", draw_name_or("k01"), draw_name(), &error));
    }
    WRITTEN(syncstore_batch_commit(batch, &error));
    EXPECT(syncstore_batch_op(batch, (size_t)draw_number(), NULL) <= 1);
    syncstore_batch_free(batch);
}

static void read_one(void)
{
    const char *collection = draw_name_or("c"), *key = draw_name_or("k01");
    syncstore_text json;
    syncstore_index_entries *entries;
    syncstore_relation_list *relations;
    syncstore_names *tags;

    EXPECT((ALLOWED(syncstore_get(store, collection, key, &json, &error), SYNCSTORE_NOT_FOUND) == SYNCSTORE_OK) == (json.data != NULL));
    syncstore_text_free(&json);
    FINE(syncstore_indexes(store, collection, key, &entries, &error));
    syncstore_index_entries_free(entries);
    FINE(syncstore_relations(store, collection, key, draw(2) == 0 ? NULL : draw_name(), &relations, &error));
    EXPECT(syncstore_relation_list_id(relations, (size_t)draw_number() | 1u << 20) == NULL);
    syncstore_relation_list_free(relations);
    FINE(syncstore_relations_to(store, collection, key, draw(2) == 0 ? NULL : draw_name(), &relations, &error));
    syncstore_relation_list_free(relations);
    FINE(syncstore_tags(store, collection, key, &tags, &error));
    syncstore_names_free(tags);
}

static void walk(void)
{
    syncstore_walk *walk;
    syncstore_related_items *found;
    uint32_t more;

    FINE(syncstore_walk_new(store, draw_name_or("c"), draw_name_or("k01"), &walk, &error));
    for (more = walk == NULL ? 0 : draw(5); more > 0; more--) {
        switch (draw(5)) {
        case 0: FINE(syncstore_walk_backwards(walk, draw_name_or("in"), &error)); break;
        case 1: FINE(syncstore_walk_depth(walk, (size_t)draw_number(), &error)); break;
        case 2: FINE(syncstore_walk_limit(walk, (size_t)draw_number(), &error)); break;
        case 3: FINE(syncstore_walk_values(walk, (int32_t)draw(3), &error)); break;
        default: FINE(syncstore_walk_forwards(walk, draw_name_or("in"), &error)); break;
        }
    }
    EXPECT((FINE(syncstore_walk_run(walk, &found, &error)) == SYNCSTORE_OK) == (found != NULL));
    syncstore_related_items_free(found);
    syncstore_walk_free(walk);
}

static void filter(void)
{
    syncstore_filter *filter, *other;
    syncstore_text json;

    EXPECT((ALLOWED(syncstore_filter_from_text(draw_name(), &filter, &error), SYNCSTORE_LIMIT) == SYNCSTORE_OK) == (filter != NULL));
    FINE(syncstore_filter_and_prefix(filter, draw_name(), draw_name(), &error));
    FINE(syncstore_filter_and(filter, filter, &other, &error));
    EXPECT(syncstore_filter_covers(filter, other) == (filter != NULL) && syncstore_filter_has(filter, draw_name(), draw_name()) <= 1);
    ALLOWED(syncstore_filter_to_text(filter, &json, &error), SYNCSTORE_NOT_FOUND);
    syncstore_text_free(&json);
    syncstore_filter_free(filter);
    syncstore_filter_free(other);
}

static void refs(void)
{
    syncstore_ref op = draw_ref(), made;
    text json = draw_text();
    syncstore_outcome *outcome;
    syncstore_refs *held;
    char words[SYNCSTORE_REF_TEXT_SIZE];

    FINE(syncstore_ref_to_text(&op, words, sizeof words, &error));
    FINE(syncstore_ref_from_text(words, &made, &error));
    FINE(syncstore_ref_from_text(draw_name(), &made, &error));
    ALLOWED(syncstore_outcome_of(store, &op, &outcome, &error), SYNCSTORE_NOT_FOUND);
    syncstore_outcome_free(outcome);
    ALLOWED(syncstore_wait(store, &op, 0, &outcome, &error), SYNCSTORE_NOT_FOUND);
    syncstore_outcome_free(outcome);
    FINE(syncstore_depends_on(store, &op, &held, &error));
    syncstore_refs_free(held);
    ALLOWED(syncstore_retry(store, &op, &made, &error), SYNCSTORE_NOT_REJECTED);
    ALLOWED(syncstore_edit_set(store, &op, json.data, json.len, &made, &error), SYNCSTORE_NOT_REJECTED, SYNCSTORE_JSON);
    ALLOWED(syncstore_edit_order(store, &op, draw_name(), &made, &error), SYNCSTORE_NOT_REJECTED);
    ALLOWED(syncstore_discard(store, &op, &error), SYNCSTORE_NOT_FOUND);
    ALLOWED(syncstore_retry_of(store, &op, &made, &error), SYNCSTORE_NOT_FOUND);
}

static void take_event(void *user_data, const syncstore_event *event)
{
    EXPECT(user_data == &last_op && syncstore_event_kind_of(event) != 0);
}

static void listen(void)
{
    syncstore_watch_options options = SYNCSTORE_WATCH_OPTIONS_INIT;
    syncstore_event_options told = SYNCSTORE_EVENT_OPTIONS_INIT;
    syncstore_watcher *watcher;
    syncstore_events *events;
    uint64_t subscription;

    options.collection = draw(4) == 0 ? draw_name() : "c";
    options.key = draw(4) == 0 ? draw_name() : NULL;
    options.index = draw(3) == 0 ? draw_name_or("by") : NULL;
    options.prefix = draw(3) == 0 ? draw_name() : NULL;
    options.from = draw(3) == 0 ? draw_name() : NULL;
    options.to = draw(3) == 0 ? draw_name() : NULL;
    options.capacity = (uint64_t)draw_number();
    EXPECT((FINE(syncstore_watch(store, &options, NULL, NULL, NULL, &watcher, &error)) == SYNCSTORE_OK) == (watcher != NULL));
    told.log_level = draw(2) == 0 ? (int64_t)draw(6) - 1 : draw_option();
    told.outcomes = draw_option();
    told.conflicts = draw_option();
    told.log_lines = draw_option();
    FINE(syncstore_events_new(store, &told, NULL, NULL, NULL, &events, &error));
    FINE(syncstore_events_subscribe(events, &options, &subscription, &error));
    write_one();
    FINE(syncstore_events_pump(events, (size_t)draw_number(), draw_number(), take_event, &last_op, NULL, NULL, &error));
    ALLOWED(syncstore_events_unsubscribe(events, (uint64_t)draw_number(), &error), SYNCSTORE_NOT_FOUND);
    syncstore_watcher_free(watcher);
    syncstore_events_free(events);
}

static void open_another(void)
{
    syncstore_options options = SYNCSTORE_OPTIONS_INIT;
    syncstore *other;

    options.durability = draw(8) == 0 ? (int32_t)draw(4) - 1 : 0;
    options.no_prefetch = draw(8) == 0 ? (int32_t)draw(4) - 1 : 0;
    options.keep = draw(4) != 0 ? NULL : draw_name();
    options.vfs = draw(8) == 0 ? draw_name() : NULL;
    options.busy_timeout_ms = draw_option();
    options.cache_bytes = (uint64_t)draw_option();
    options.retention_age_ms = draw_option();
    options.retention_outcomes = draw_option();
    options.largest_file = (uint64_t)draw_option();
    options.push_ops = (uint32_t)draw_option();
    options.retry_attempts = (uint64_t)draw_option();
    options.retry_first_wait_ms = draw_option();
    options.retry_longest_wait_ms = draw_option();
    options.retry_total_wait_ms = draw_option();
    EXPECT((ALLOWED(syncstore_open("other.db", &options, &other, &error), SYNCSTORE_LIMIT, SYNCSTORE_STORAGE) == SYNCSTORE_OK) == (other != NULL));
    if (other != NULL) {
        ALLOWED(syncstore_set(other, "c", "k", "1", 1, NULL, &error), SYNCSTORE_NOT_KEPT);
    }
    syncstore_free(other);
}

static void connect_and_start(void)
{
    syncstore_http_options options = SYNCSTORE_HTTP_OPTIONS_INIT;
    syncstore_sync_policy policy = SYNCSTORE_SYNC_POLICY_INIT;
    const char *headers[3] = {NULL, NULL, NULL};
    syncstore_wire *wire;

    headers[0] = draw(4) != 0 ? NULL : draw_name();
    headers[1] = draw_name();
    options.format = (int32_t)draw(4) - 1;
    options.compression = (int32_t)draw(4);
    options.bearer_token = draw(4) != 0 ? NULL : draw_name();
    options.proxy = draw(3) == 0 ? draw_name() : NULL;
    options.user_agent = draw(4) != 0 ? NULL : draw_name();
    options.headers = headers;
    options.compress_above = (uint64_t)draw_option();
    options.response_limit = (uint64_t)draw_option();
    options.connect_timeout_ms = draw_option();
    options.call_timeout_ms = draw_option();
    EXPECT((ALLOWED(syncstore_wire_http(draw_name_or("http://127.0.0.1:1"), draw_name_or("db"), &options, &wire, &error), SYNCSTORE_SETUP) == SYNCSTORE_OK) == (wire != NULL));
    syncstore_wire_free(wire);
    if (draw(8) == 0) {
        FINE(syncstore_wire_http("http://127.0.0.1:1", "db", NULL, &wire, &error));
        policy.debounce_ms = draw_option();
        policy.longest_debounce_ms = draw_option();
        policy.poll_ms = draw_option();
        policy.pull_every_ms = draw_option();
        policy.first_wait_ms = draw_option();
        policy.longest_wait_ms = draw_option();
        policy.backstop_ms = draw_option();
        policy.look_every_ms = draw_option();
        FINE(syncstore_start(store, wire, &policy, &error));
        write_one();
        FINE(syncstore_stop(store, INT64_MAX, NULL, &error));
        syncstore_wire_free(wire);
    }
}

static void any(void)
{
    uint32_t which = draw(200);

    if (which < 2) open_another();
    else if (which < 5) connect_and_start();
    else if (which < 8) declare();
    else if (which < 14) listen();
    else if (which < 30) write_together();
    else if (which < 50) write_one();
    else if (which < 60) refs();
    else if (which < 80) walk();
    else if (which < 100) filter();
    else if (which < 115) list();
    else if (which < 130) search();
    else if (which < 155) select_rows();
    else if (which < 165) read_one();
    else query();
}

/* What there is to be found. */
static void fill(void)
{
    static const char *const FIELDS[] = {"/t", "/x"};
    static const char *const VALUES[] = {"1", "-1.5", "true", "\"2026-12-24\"", "\"\\u0000\\u0001\"", "[1,\"a\",null]", "18446744073709551615", "1e308", "\"\"", "null"};
    char key[8], json[100];
    int place;

    for (place = 0; place < 30; place++) {
        sprintf(key, "k%02d", place);
        sprintf(json, "{\"x\": %s, \"t\": \"a word, and %d more words\"}", VALUES[place % 10], place);
        FINE(syncstore_set(store, "c", key, json, strlen(json), &last_op, &error));
        FINE(syncstore_set_index(store, "c", key, "hand", key + 1, NULL, &error));
        FINE(syncstore_set_relation(store, "c", key, "r", "in", "c", "k01", NULL, &error));
    }
    FINE(syncstore_declare_index(store, "c", "by", "/x", 1, NULL, &error));
    FINE(syncstore_build_index(store, "c", "by", NULL, NULL, &error));
    FINE(syncstore_declare_search(store, "s", "c", FIELDS, 2, NULL, &error));
    FINE(syncstore_build_search(store, "s", NULL, NULL, &error));
}

/* Nothing that these do is there for the next one, so that an input alone says what happens. */
static void ask(void)
{
    switch (draw(8)) {
    case 0: walk(); break;
    case 1: filter(); break;
    case 2: list(); break;
    case 3: search(); break;
    case 4: select_rows(); break;
    case 5: read_one(); break;
    default: query(); break;
    }
}

/* What is asked, in a new file there. */
void query_arguments_of(const char *path)
{
    FINE(syncstore_open(path, NULL, &store, &error));
    fill();
}

void query_arguments(const uint8_t *input, size_t len)
{
    last_token_len = 0;
    hostile_input = input;
    hostile_input_len = len;
    while (hostile_input_len > 0) {
        ask();
    }
    hostile_input = NULL;
}

#ifndef WITHOUT_MAIN

static void play(const char *path)
{
    static uint8_t input[1 << 16];
    FILE *file = fopen(path, "rb");

    EXPECT(file != NULL);
    query_arguments(input, fread(input, 1, sizeof input, file));
    EXPECT(ferror(file) == 0 && feof(file) != 0);
    fclose(file);
}

static void play_cases(void)
{
    const char *asked = getenv("SYNCSTORE_HOSTILE_CASES");
    unsigned long cases = asked != NULL ? strtoul(asked, NULL, 10) : CASES, number;

    for (number = 0; number < cases; number++) {
        begin_case(number);
        any();
    }
}

int main(int count, char **arguments)
{
    syncstore_text report;
    int32_t is_ok;
    int place;

    query_arguments_of("hostile.db");
    for (place = 1; place < count; place++) {
        play(arguments[place]);
    }
    if (count <= 1) {
        play_cases();
    }
    FINE(syncstore_check(store, &is_ok, &report, &error));
    if (is_ok != 1) {
        fprintf(stderr, "%s\n", report.data);
    }
    EXPECT(is_ok == 1);
    syncstore_text_free(&report);
    syncstore_free(store);
    EXPECT(syncstore_live_handles() == 0);
    return 0;
}

#endif

/*
 * Processor time of the C library's calls, in nanoseconds each: `name nanoseconds` a line. The script `profiles` beside it runs this with the
 * library of each profile in turn. The file should be where a write costs no wait; what a disk takes is no processor time.
 *
 *     profiles FILE    a file that is not there yet
 */
#include "syncstore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ITEMS = 10000, BATCH = 1000 };

static void check(syncstore_status status, syncstore_error **error)
{
    if (status != SYNCSTORE_OK) {
        fprintf(stderr, "profiles: %s\n", *error != NULL ? syncstore_error_message(*error) : syncstore_status_name(status));
        exit(1);
    }
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void report(const char *name, double start, int times)
{
    printf("%s %.0f\n", name, (now() - start) / times);
}

/* About 300 bytes, as the documents of the other benches. */
static size_t document(char *json, size_t size, int number)
{
    return (size_t)snprintf(json, size,
                            "{\"title\":\"Item %d\",\"done\":%s,\"rank\":%d,\"tags\":[\"a\",\"b\",\"c\"],\"author\":{\"name\":\"Ada Lovelace\",\"mail\":\"ada@example.org\"},"
                            "\"text\":\"The engine has no pretensions whatever to originate anything. It can do whatever we know how to order it to perform.\",\"price\":%d.25}",
                            number, number % 2 ? "true" : "false", number % ITEMS * 7919 % ITEMS, number);
}

static void name(char *key, int number)
{
    sprintf(key, "key-%06d", number % ITEMS * 7919 % ITEMS);
}

int main(int count, char **arguments)
{
    static const char patch[] = "[{\"op\":\"replace\",\"path\":\"/done\",\"value\":true}]";
    static const char select[] = "SELECT key, json_extract(value, '$.title') FROM items WHERE collection = 'notes' AND json_extract(value, '$.rank') < 100";
    syncstore_list_options thousand = SYNCSTORE_LIST_OPTIONS_INIT;
    syncstore_error *error;
    syncstore *store;
    syncstore_sql *sql;
    char key[32], json[1024];
    double start;
    int i, j;

    if (count != 2) {
        fprintf(stderr, "usage: profiles FILE\n");
        return 1;
    }
    check(syncstore_open(arguments[1], NULL, &store, &error), &error);

    start = now();
    for (i = 0; i < ITEMS / BATCH; i++) {
        syncstore_batch *batch;

        check(syncstore_batch_new(store, &batch, &error), &error);
        for (j = 0; j < BATCH; j++) {
            name(key, i * BATCH + j);
            check(syncstore_batch_set(batch, "notes", key, json, document(json, sizeof json, i * BATCH + j), &error), &error);
        }
        check(syncstore_batch_commit(batch, &error), &error);
        syncstore_batch_free(batch);
    }
    report("set-in-batch", start, ITEMS);

    start = now();
    for (i = 0; i < ITEMS / 2; i++) {
        name(key, i * 3);
        check(syncstore_set(store, "notes", key, json, document(json, sizeof json, i), NULL, &error), &error);
    }
    report("set", start, ITEMS / 2);

    start = now();
    for (i = 0; i < ITEMS / 2; i++) {
        name(key, i * 7);
        check(syncstore_patch(store, "notes", key, patch, strlen(patch), NULL, &error), &error);
    }
    report("patch", start, ITEMS / 2);

    start = now();
    for (i = 0; i < 10 * ITEMS; i++) {
        syncstore_text text;

        name(key, i * 13);
        check(syncstore_get(store, "notes", key, &text, &error), &error);
        syncstore_text_free(&text);
    }
    report("get", start, 10 * ITEMS);

    thousand.limit = 1000;
    start = now();
    for (i = 0; i < 200; i++) {
        syncstore_rows *rows;

        check(syncstore_list(store, "notes", &thousand, &rows, &error), &error);
        if (syncstore_rows_count(rows) != 1000) {
            fprintf(stderr, "profiles: it lists %d rows\n", (int)syncstore_rows_count(rows));
            return 1;
        }
        syncstore_rows_free(rows);
    }
    report("list-a-row", start, 200 * 1000);

    check(syncstore_sql_new(store, select, strlen(select), &sql, &error), &error);
    start = now();
    for (i = 0; i < 10; i++) {
        syncstore_sql_rows *rows;

        check(syncstore_sql_run(sql, &rows, &error), &error);
        if (syncstore_sql_rows_count(rows) != 100) {
            fprintf(stderr, "profiles: SQL finds %d rows\n", (int)syncstore_sql_rows_count(rows));
            return 1;
        }
        syncstore_sql_rows_free(rows);
    }
    report("sql-a-row-looked-at", start, 10 * ITEMS);
    syncstore_sql_free(sql);
    syncstore_free(store);
    return 0;
}

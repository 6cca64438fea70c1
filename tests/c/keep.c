/* What a replica keeps, what is pending in it, and its upkeep: a check, and a compaction. */
#include "expect.h"

static syncstore_error *error = NULL;

static void expect_text(const syncstore_filter *filter, const char *expected)
{
    syncstore_text text;

    EXPECT_OK(syncstore_filter_to_text(filter, &text, &error));
    EXPECT_TEXT(expected, text.data);
    syncstore_text_free(&text);
}

static void filters(void)
{
    static const char *const COLLECTIONS[] = {"notes", "folders"};
    syncstore_filter *filter, *other, *both, *everything;
    syncstore_text text;
    syncstore_names *names;

    EXPECT_OK(syncstore_filter_only(COLLECTIONS, 2, &filter, &error));
    EXPECT_OK(syncstore_filter_and_prefix(filter, "orders", "2026-", &error));
    expect_text(filter, "folders,notes,orders:2026-");
    EXPECT(syncstore_filter_has(filter, "notes", "n1") == 1 && syncstore_filter_has(filter, "orders", "2025") == 0);
    EXPECT(syncstore_filter_is_everything(filter) == 0);
    EXPECT_OK(syncstore_filter_collections(filter, &names, &error));
    EXPECT(syncstore_names_count(names) == 3);
    EXPECT_TEXT("orders", syncstore_names_at(names, 2));
    syncstore_names_free(names);
    EXPECT_OK(syncstore_filter_prefixes(filter, "orders", &names, &error));
    EXPECT(syncstore_names_count(names) == 1);
    EXPECT_TEXT("2026-", syncstore_names_at(names, 0));
    syncstore_names_free(names);
    EXPECT_OK(syncstore_filter_prefixes(filter, "logs", &names, &error));
    EXPECT(syncstore_names_count(names) == 0);
    syncstore_names_free(names);

    EXPECT_OK(syncstore_filter_from_text("orders,logs", &other, &error));
    EXPECT_OK(syncstore_filter_and(filter, other, &both, &error));
    expect_text(both, "orders:2026-");
    EXPECT(syncstore_filter_covers(filter, both) == 1 && syncstore_filter_covers(both, filter) == 0);
    EXPECT_OK(syncstore_filter_everything(&everything, &error));
    EXPECT(syncstore_filter_is_everything(everything) == 1 && syncstore_filter_covers(everything, other) == 1);
    EXPECT_STATUS(SYNCSTORE_NOT_FOUND, syncstore_filter_to_text(everything, &text, &error));
    EXPECT_STATUS(SYNCSTORE_NOT_FOUND, syncstore_filter_collections(everything, &names, &error));
    EXPECT(text.data == NULL && names == NULL);
    syncstore_filter_free(filter);
    syncstore_filter_free(other);
    syncstore_filter_free(both);
    syncstore_filter_free(everything);

    EXPECT_OK(syncstore_filter_only(NULL, 0, &filter, &error));
    expect_text(filter, "");
    syncstore_filter_free(filter);
    EXPECT_FAILS(SYNCSTORE_MISUSE, "text is no filter", syncstore_filter_from_text("a:b:c", &filter, &error));
}

static void keep(syncstore *store)
{
    syncstore_filter *filter, *kept, *here;
    int32_t changed = 0;

    EXPECT_OK(syncstore_kept(store, &kept, &here, &error));
    EXPECT(syncstore_filter_is_everything(kept) == 1);
    /* Nothing was ever synced. */
    expect_text(here, "");
    syncstore_filter_free(kept);
    syncstore_filter_free(here);

    EXPECT_OK(syncstore_filter_from_text("notes", &filter, &error));
    EXPECT_OK(syncstore_keep(store, filter, &changed, &error));
    EXPECT(changed == 1);
    EXPECT_OK(syncstore_keep(store, filter, &changed, &error));
    EXPECT(changed == 0);
    EXPECT_FAILS(SYNCSTORE_NOT_KEPT, "not among", syncstore_set(store, "logs", "l1", "1", 1, NULL, &error));
    EXPECT_OK(syncstore_kept(store, &kept, &here, &error));
    EXPECT(syncstore_filter_covers(kept, filter) == 1 && syncstore_filter_covers(filter, kept) == 1);
    syncstore_filter_free(kept);
    syncstore_filter_free(here);

    EXPECT_OK(syncstore_filter_and_prefix(filter, "", "x", &error));
    EXPECT_FAILS(SYNCSTORE_LIMIT, "", syncstore_keep(store, filter, &changed, &error));
    syncstore_filter_free(filter);
}

static void pending(syncstore *store)
{
    static const char PATCH[] = "[{\"op\": \"add\", \"path\": \"/-\", \"value\": 2}]";
    syncstore_pending_ops *ops;
    syncstore_batch *batch;
    syncstore_ref first, ref, id, other;
    const char *payload;
    uint64_t base;
    size_t len;

    EXPECT_OK(syncstore_set(store, "notes", "n1", "[1]", 3, &first, &error));
    EXPECT_OK(syncstore_batch_new(store, &batch, &error));
    EXPECT_OK(syncstore_batch_patch(batch, "notes", "n1", PATCH, sizeof PATCH - 1, &error));
    EXPECT_OK(syncstore_batch_set_relation(batch, "notes", "n1", "r1", "in", "folders", "home", &error));
    EXPECT_OK(syncstore_batch_commit(batch, &error));
    EXPECT(syncstore_batch_id(batch, &id) == 1);
    syncstore_batch_free(batch);
    EXPECT_OK(syncstore_set_index(store, "notes", "n1", "by_date", "2026", NULL, &error));
    EXPECT_OK(syncstore_add_tag(store, "notes", "n1", "red", NULL, &error));
    EXPECT_OK(syncstore_delete(store, "notes", "n1", NULL, &error));

    EXPECT_OK(syncstore_pending(store, &ops, &error));
    EXPECT(syncstore_pending_ops_count(ops) == 6);
    EXPECT(syncstore_pending_ops_ref(ops, 0, &ref) == 1 && memcmp(ref.bytes, first.bytes, sizeof ref.bytes) == 0);
    EXPECT_TEXT("notes", syncstore_pending_ops_collection(ops, 0));
    EXPECT_TEXT("n1", syncstore_pending_ops_key(ops, 0));
    EXPECT(syncstore_pending_ops_kind(ops, 0) == SYNCSTORE_OP_SET);
    EXPECT(syncstore_pending_ops_resource(ops, 0) == SYNCSTORE_RESOURCE_VALUE);
    EXPECT(syncstore_pending_ops_resource_name(ops, 0) == NULL);
    EXPECT(syncstore_pending_ops_state(ops, 0) == SYNCSTORE_PENDING_QUEUED);
    EXPECT(syncstore_pending_ops_applies(ops, 0) == 1 && syncstore_pending_ops_batch(ops, 0, NULL) == 0);
    EXPECT(syncstore_pending_ops_base(ops, 0, &base) == 1 && base == 0);
    payload = syncstore_pending_ops_payload(ops, 0, &len);
    EXPECT(len == 3 && memcmp(payload, "[1]", 3) == 0);

    EXPECT(syncstore_pending_ops_kind(ops, 1) == SYNCSTORE_OP_PATCH);
    EXPECT(syncstore_pending_ops_batch(ops, 1, &other) == 1 && memcmp(id.bytes, other.bytes, sizeof id.bytes) == 0);
    EXPECT(syncstore_pending_ops_resource(ops, 2) == SYNCSTORE_RESOURCE_RELATION);
    EXPECT_TEXT("r1", syncstore_pending_ops_resource_name(ops, 2));
    EXPECT(syncstore_pending_ops_resource(ops, 3) == SYNCSTORE_RESOURCE_INDEX);
    payload = syncstore_pending_ops_payload(ops, 3, &len);
    EXPECT(len == strlen("{\"order\":\"2026\"}") && memcmp(payload, "{\"order\":\"2026\"}", len) == 0);
    EXPECT(syncstore_pending_ops_resource(ops, 4) == SYNCSTORE_RESOURCE_TAG);
    EXPECT(syncstore_pending_ops_kind(ops, 5) == SYNCSTORE_OP_DELETE);
    EXPECT(syncstore_pending_ops_payload(ops, 5, &len) == NULL && len == 0);

    EXPECT(syncstore_pending_ops_ref(ops, 6, &ref) == 0 && ref.bytes[0] == 0);
    EXPECT(syncstore_pending_ops_collection(ops, 6) == NULL && syncstore_pending_ops_key(ops, 6) == NULL);
    EXPECT(syncstore_pending_ops_kind(ops, 6) == 0 && syncstore_pending_ops_state(ops, 6) == 0);
    syncstore_pending_ops_free(ops);
}

static void upkeep(syncstore *store)
{
    syncstore_text report;
    int32_t is_ok = 0;
    uint64_t before = 0, after = 0;

    EXPECT_OK(syncstore_check(store, &is_ok, &report, &error));
    EXPECT(is_ok == 1 && strstr(report.data, "\"pending\":6") != NULL && report.len == strlen(report.data));
    syncstore_text_free(&report);
    EXPECT_OK(syncstore_check(store, NULL, &report, &error));
    syncstore_text_free(&report);
    EXPECT_OK(syncstore_compact(store, &before, &after, &error));
    EXPECT(before > 0 && after > 0 && after <= before);
    EXPECT_OK(syncstore_compact(store, NULL, NULL, &error));
}

int main(void)
{
    syncstore_options options = SYNCSTORE_OPTIONS_INIT;
    syncstore *store;

    options.no_coalescing = 1;
    EXPECT_OK(syncstore_open("keep.db", &options, &store, &error));
    filters();
    keep(store);
    pending(store);
    upkeep(store);
    syncstore_free(store);
    EXPECT(syncstore_live_handles() == 0);
    return 0;
}

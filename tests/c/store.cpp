// What is local, in C++ with exceptions: items, batches, queries, index entries, relations, walks, tags, indexes, searches, SQL, filters.
#include "expect.hpp"

#include <stdexcept>
#include <unordered_set>

using namespace std::string_literals;
using namespace std::string_view_literals;

static_assert(!std::is_copy_constructible_v<syncstore::store> && std::is_nothrow_move_constructible_v<syncstore::store>);
static_assert(!std::is_copy_constructible_v<syncstore::text> && !std::is_copy_constructible_v<syncstore::rows>);
static_assert(std::is_copy_constructible_v<syncstore::error>, "what is thrown is copied");

static void items()
{
    syncstore::options options;
    options.durability = syncstore::durability::full;
    options.coalescing = false;
    options.busy_timeout = syncstore::milliseconds(100);
    syncstore::store store = syncstore::store::open("items.db", options);
    EXPECT(store.client_id().size() == 36);

    const syncstore::ref first = store.set("notes", "n1", "{\"n\": 1.0}");
    const syncstore::ref second = store.patch("notes"s, "n1"sv, "[{\"op\":\"add\",\"path\":\"/m\",\"value\":2}]");
    EXPECT(first < second && first != second && syncstore::to_ref(first.to_string()) == first);
    EXPECT(std::unordered_set<syncstore::ref>{first, second, first}.size() == 2);
    EXPECT(store.pending_count() == 2);
    EXPECT(store.get("notes", "n1")->view() == "{\"m\":2,\"n\":1.0}");
    EXPECT(!store.get("notes", "n2").has_value());

    const syncstore::text moved = std::move(*store.get("notes", "n1"));
    EXPECT(moved == "{\"m\":2,\"n\":1.0}" && moved.str() == moved.c_str());

    const auto outcome = store.outcome_of(first);
    EXPECT(outcome && outcome->kind() == syncstore::outcome_kind::queued && outcome->seq() == 0 && !outcome->code());
    EXPECT(!outcome->message() && !outcome->detail() && !outcome->other());
    EXPECT(!store.outcome_of(syncstore::ref()));
    EXPECT(store.wait(first, syncstore::milliseconds(1))->kind() == syncstore::outcome_kind::queued);

    const syncstore::pending_ops pending = store.pending();
    EXPECT(pending.size() == 2 && pending[0].op == first && pending[1].kind == syncstore::op_kind::patch);
    for (const syncstore::pending_op op : pending) {
        EXPECT(op.collection == "notes" && op.key == "n1" && op.resource == syncstore::resource::value && op.applies);
        EXPECT(op.state == syncstore::pending_state::queued && op.payload && !op.batch && !op.resource_name);
    }

    store.remove("notes", "n1");
    store.set("tasks", "t", "0");
    std::string all;
    for (const std::string_view name : store.collections()) all += std::string(name) + ";";
    EXPECT(all == "tasks;" && store.collections()[7].empty());

    EXPECT_THROWS(SYNCSTORE_JSON, store.set("notes", "n", "{"));
    EXPECT_THROWS(SYNCSTORE_LIMIT, store.set("notes", std::string(200, 'k'), "1"));
    EXPECT_THROWS(SYNCSTORE_MISUSE, store.get("no\0tes"sv, "n"));
    EXPECT_THROWS(SYNCSTORE_MISUSE, syncstore::to_ref("none"));
    try {
        store.patch("notes", "gone", "[]");
        EXPECT(!"reached");
    } catch (const std::exception& thrown) {
        const auto& failed = dynamic_cast<const syncstore::error&>(thrown);
        EXPECT(failed.code() == SYNCSTORE_NO_ITEM && failed.kept_code() == SYNCSTORE_NO_ITEM && failed.name() == "SYNCSTORE_NO_ITEM");
        EXPECT(!failed.retryable() && !failed.retry_after() && !failed.op() && !failed.report() && failed.message() == failed.what());
        EXPECT(failed.collection() == "notes" && failed.key() == "gone" && failed.sqlite_code() == 0 && failed.http_status() == 0);
        EXPECT(failed.rev() == 0 && !failed.rejection() && !failed.failed_write() && !failed.patch_path() && !failed.patch_operation());
        EXPECT(failed.cause() == SYNCSTORE_OK);
    }

    const syncstore::checked checked = store.check();
    EXPECT(checked.is_ok && checked.report.view().find("\"ok\"") != std::string_view::npos);
    EXPECT(store.compact().bytes_after > 0);

    syncstore::store other = std::move(store);
    EXPECT_THROWS(SYNCSTORE_MISUSE, store.pending_count());
    // Closing waits for 250 ms, which may not be enough on a busy machine.
    const syncstore::stopped how = other.close();
    EXPECT(how == syncstore::stopped::entirely || how == syncstore::stopped::soon);
    EXPECT_THROWS(SYNCSTORE_CLOSED, other.pending_count());
    EXPECT_THROWS(SYNCSTORE_CLOSED, other.query("notes").limit(1).run());

    syncstore_store* raw = other.release();
    EXPECT(other.c_handle() == nullptr);
    const syncstore::store again(raw);
}

static void batches_and_queries(syncstore::store& store)
{
    {
        syncstore::batch dropped = store.batch();
        dropped.set("rows", "never", "1");
    }
    syncstore::batch batch = store.batch();
    for (int n = 0; n < 20; ++n) {
        const std::string key = "k" + std::to_string(10 + n);
        batch.set("rows", key, "{\"n\":" + std::to_string(n) + ",\"text\":\"row number " + std::to_string(n) + "\"}");
        batch.set_index("rows", key, "back", std::to_string(99 - n));
    }
    batch.set("rows", "short", "1");
    batch.patch("rows", "short", "[{\"op\":\"replace\",\"path\":\"\",\"value\":2}]");
    batch.set_relation("rows", "k10", "r", "next", "rows", "k11");
    batch.set_relation("rows", "k10", "s", "next", "rows", "k12");
    batch.remove_relation("rows", "k10", "s");
    batch.add_tag("rows", "k10", "red");
    batch.add_tag("rows", "k10", "blue");
    batch.remove_tag("rows", "k10", "blue");
    batch.remove_index("rows", "k29", "back");
    batch.remove("rows", "short");
    EXPECT(!batch.id() && batch.ops().empty());
    batch.commit();
    EXPECT(batch.id() && batch.ops().size() == 50 && batch.ops().front() < batch.ops().back());
    EXPECT_THROWS(SYNCSTORE_MISUSE, batch.commit());

    // A temporary that was told something is kept by range-for.
    std::string keys;
    for (const syncstore::row row : store.query("rows").prefix("k").from("k12").to("k15")) keys += std::string(row.key) + ";";
    EXPECT(keys == "k12;k13;k14;");

    syncstore::query query = store.query("rows");
    query.reverse().limit(3).keys_only();
    syncstore::rows page = query.run();
    EXPECT(page.size() == 3 && page.more() && page.token() && page[0].key == "k29" && page[0].value.data() == nullptr && !page[0].order);
    EXPECT(page.next()->key == "k29" && page.next()->key == "k28" && page.next()->key == "k27" && !page.next());
    EXPECT(query.resume(*page.token()).run()[0].key == "k26");
    EXPECT(page[3].key.empty() && page.is_complete() && !page.order_value(0));

    const syncstore::rows by_order = store.query("rows").index("back").limit(2).run();
    EXPECT(by_order[0].key == "k28" && by_order[0].order == "81");
    EXPECT(std::get<std::string_view>(*by_order.order_value(0)) == "81");

    // A callback may answer false, own what it captured, and throw.
    int seen = 0;
    auto owned = std::make_unique<int>(5);
    store.query("rows").for_each([&seen, owned = std::move(owned)](const syncstore::row&) { return ++seen < *owned; });
    EXPECT(seen == 5);
    seen = 0;
    store.query("rows").for_each([&](syncstore::row row) { seen += row.value.empty() ? 0 : 1; });
    EXPECT(seen == 20);
    try {
        store.query("rows").for_each([&](syncstore::row) { throw std::runtime_error("from within"); });
        EXPECT(!"reached");
    } catch (const std::runtime_error& thrown) {
        EXPECT(thrown.what() == "from within"s);
    }
    EXPECT_THROWS(SYNCSTORE_RESUME_TOKEN, store.query("rows").resume("none").run());
    EXPECT_THROWS(SYNCSTORE_MISUSE, store.query("rows").index("a\0b"sv).limit(1).run());
    EXPECT_THROWS(SYNCSTORE_MISUSE, store.query("rows").index("a\0b"sv).for_each([](syncstore::row) {}));

    syncstore::list_options options;
    options.from = "k20";
    options.limit = 2;
    options.reverse = true;
    EXPECT(store.list("rows", options)[0].key == "k29" && store.list("rows").size() == 20);
}

static void resources(syncstore::store& store)
{
    store.set_index("rows", "k10", "due", "2026");
    const syncstore::index_entries entries = store.indexes("rows", "k10");
    EXPECT(entries.size() == 2 && entries[0].name == "back" && entries[1].order == "2026");
    store.remove_index("rows", "k10", "due");

    store.set_relation("rows", "k11", "r", "next", "rows", "k12");
    store.set_relation("rows", "k12", "r", "other", "rows", "k10");
    const syncstore::relation_list relations = store.relations("rows", "k11");
    EXPECT(relations.size() == 1 && relations[0].id == "r" && relations[0].predicate == "next" && relations[0].key == "k12");
    EXPECT(store.relations("rows", "k11", "other").empty() && store.relations_to("rows", "k11", "next")[0].key == "k10");
    std::string found;
    for (const syncstore::related_item item : store.walk("rows", "k10").forwards("next").depth(9).values().run()) {
        found += std::string(item.key) + std::to_string(item.depth) + (item.value ? "v;" : ";");
    }
    EXPECT(found == "k111v;k122v;");
    EXPECT(store.walk("rows", "k12").backwards("next").depth(5).limit(1).run().more());
    EXPECT_THROWS(SYNCSTORE_MISUSE, store.walk("rows", "k10").run());
    store.remove_relation("rows", "k12", "r");

    store.add_tag("rows", "k11", "red");
    EXPECT(store.tags("rows", "k11").size() == 1 && store.tags("rows", "k10")[0] == "red");
    store.remove_tag("rows", "k11", "red");
}

static void indexes_and_searches(syncstore::store& store)
{
    EXPECT(store.declare_index("rows", "n", "/n"));
    std::uint64_t last = 0;
    EXPECT_THROWS(SYNCSTORE_CANCELLED, store.build_index("rows", "n", [](std::uint64_t, std::uint64_t) { return false; }));
    store.build_index("rows", "n", [&](std::uint64_t done, std::uint64_t) { last = done; });
    store.build_index("rows", "n");
    const syncstore::rows some = store.query("rows").index("n").from(5).to(7.5).run();
    EXPECT(some.size() == 3 && std::get<std::int64_t>(*some.order_value(0)) == 5);
    EXPECT(store.query("rows").index("n").from(std::uint64_t{18}).run().size() == 2);
    EXPECT(store.query("rows").index("n").from(18.5).to(std::uint64_t{100}).run().size() == 1);
    EXPECT(store.query("rows").index("n").from(false).to(true).run().empty());
    EXPECT(store.query("rows").index("n").from(0).to(4).reverse().run()[0].key == "k13");
    store.declare_index("rows", "day", "/day", true);
    store.set("rows", "dated", "{\"day\":\"2026-02-03T04:05:06Z\"}");
    const syncstore::instant then{1770091506, 0};
    const syncstore::rows dated = store.query("rows").index("day").from(then).to(syncstore::instant{then.seconds + 1, 0}).run();
    EXPECT(dated.size() == 1 && std::get<syncstore::instant>(*dated.order_value(0)) == then);
    EXPECT(store.drop_index("rows", "day") && !store.drop_index("rows", "day"));

    EXPECT(store.declare_search("text", "rows", {"/text"}));
    store.build_search("text", [](std::uint64_t, std::uint64_t) { return true; });
    syncstore::search_options options;
    options.limit = 1;
    options.mark_before = "<";
    options.mark_behind = ">";
    const syncstore::hits hits = store.search("text", "number 7", syncstore::search_mode::words, options);
    EXPECT(hits.size() == 1 && hits[0].key == "k17" && hits[0].rank < 0 && hits[0].snippet == "row <number> <7>" && hits.is_complete());
    EXPECT(store.search("text", "numb", syncstore::search_mode::words_so_far).size() == 20);
    EXPECT(store.drop_search("text"));

    const syncstore::sql_rows found =
        store.sql("SELECT key, ?1 + 1 AS one, 0.5, NULL, :blob AS b FROM items WHERE collection = 'rows' AND key >= :from ORDER BY key")
            .bind(41).bind(":blob", syncstore::blob{"\0\1", 2}).bind(":from", "k2").limits(100).run();
    EXPECT(found.size() == 10 && found.columns().size() == 5 && found.columns()[1] == "one");
    for (const syncstore::sql_rows::row row : found) {
        EXPECT(std::get<std::int64_t>(row["one"]) == 42 && std::get<double>(row[2]) == 0.5);
        EXPECT(std::holds_alternative<std::monostate>(row[3]) && std::get<syncstore::blob>(row["b"]).size == 2);
        EXPECT(std::holds_alternative<std::monostate>(row["none"]) && row.size() == 5);
    }
    EXPECT(std::get<std::string_view>(found[9]["key"]) == "k29");
    syncstore::sql again = store.sql("SELECT ?");
    EXPECT(std::holds_alternative<std::monostate>(again.bind(nullptr).run()[0][std::size_t{0}]));
    EXPECT(std::get<double>(again.unbind().bind(1.5).run()[0][std::size_t{0}]) == 1.5);
    EXPECT_THROWS(SYNCSTORE_SQL, store.sql("DELETE FROM items").run());
}

static void filters(syncstore::store& store)
{
    syncstore::filter filter = syncstore::filter::only({"rows"});
    EXPECT(filter.has("rows", "x") && !filter.has("notes", "x") && !filter.is_everything());
    filter.and_prefix("notes", "2026-");
    EXPECT(filter.to_text()->view() == "notes:2026-,rows" && filter.prefixes("notes")[0] == "2026-");
    EXPECT(filter.collections()->size() == 2 && !syncstore::filter::everything().collections());
    EXPECT(!syncstore::filter::everything().to_text());
    const syncstore::filter same = syncstore::filter::from_text("rows,notes:2026-");
    EXPECT(same.covers(filter) && filter.covers(same) && filter.both(syncstore::filter::only({"rows"})).covers(syncstore::filter::only({"rows"})));
    EXPECT(store.keep(filter) && !store.keep(filter) && store.kept().keep.covers(filter));
    EXPECT_THROWS(SYNCSTORE_NOT_KEPT, store.set("others", "k", "1"));
    EXPECT_THROWS(SYNCSTORE_MISUSE, syncstore::filter::only({"a\0b"sv}));
}

int main()
{
    EXPECT(syncstore::version() == SYNCSTORE_VERSION && syncstore::status_name(SYNCSTORE_BUSY) == "SYNCSTORE_BUSY");
    items();
    {
        syncstore::store store = syncstore::store::open("rows.db");
        batches_and_queries(store);
        resources(store);
        indexes_and_searches(store);
        filters(store);
    }
    EXPECT(syncstore::live_handles() == 0);
    return 0;
}

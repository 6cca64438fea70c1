// A list of tasks on two devices, in C++17: typed options, batches, queries by an index, SQL, and a background sync that carries what is written.
//
//     tasks URL TOKEN
//
// URL is that of a server which has the database "notes", TOKEN a credential for it; docs/C-API.md says how to start one, which takes any. The replicas are the files desk.db and
// phone.db in the working directory. Build it with
//
//     c++ -std=c++17 -Iinclude examples/cpp/tasks.cpp -lsyncstore -o tasks
#include "syncstore.hpp"

#include <chrono>
#include <iostream>
#include <string>
#include <string_view>

using namespace std::chrono_literals;

namespace {

// Three tasks that are all there, or none.
syncstore::ref plan_week(syncstore::store& store)
{
    syncstore::batch batch = store.batch();
    const auto add = [&](std::string_view key, std::string_view title, std::string_view due, int effort) {
        batch.set("tasks", key,
            "{\"title\":\"" + std::string(title) + "\",\"due\":\"" + std::string(due) + "\",\"effort\":" + std::to_string(effort) + "}");
    };
    add("paint", "Paint the door", "2026-05-04T10:00:00Z", 3);
    add("call", "Call Ada", "2026-05-01T09:00:00+02:00", 1);
    add("taxes", "Do the taxes", "2026-05-31T23:59:00Z", 8);
    batch.commit();
    return batch.ops().back();
}

// An index by a date within the values; it is kept in step by every write and sync.
void index_by_due(syncstore::store& store)
{
    if (store.declare_index("tasks", "due", "/due", true)) store.build_index("tasks", "due");
}

std::string next_tasks(const syncstore::store& store, int most)
{
    std::string keys;
    for (const syncstore::row row : store.query("tasks").index("due").limit(most)) {
        std::cout << "  " << row.key << ' ' << row.value << '\n';
        keys += std::string(row.key) + ' ';
    }
    return keys;
}

std::int64_t whole_effort(const syncstore::store& store)
{
    const syncstore::sql_rows found =
        store.sql("SELECT sum(json_extract(value, '$.effort')) AS effort FROM items WHERE collection = ?").bind("tasks").run();
    return std::get<std::int64_t>(found[0]["effort"]);
}

int run(const std::string& url, const std::string& token)
{
    syncstore::store desk = syncstore::store::open("desk.db");
    index_by_due(desk);
    const syncstore::ref last = plan_week(desk);
    std::cout << "desk, offline:\n";
    const bool in_order = next_tasks(desk, 2) == "call paint ";

    // The credential is asked for when it is needed; what the lambda holds lives as long as the wire.
    syncstore::http_options options;
    const syncstore::credentials source =
        syncstore::credentials::from([token](bool, syncstore::credential credential) { credential.bearer(token); });
    options.credentials = &source;
    const syncstore::wire wire = syncstore::wire::http(url, "notes", options);

    // From now on what is written goes by itself.
    desk.start(wire);
    const auto outcome = desk.wait(last, 60s);
    if (!outcome || outcome->kind() != syncstore::outcome_kind::accepted) {
        std::cerr << "the server has not taken the tasks: " << desk.sync_status().error().value_or("it takes long") << '\n';
        return 1;
    }

    syncstore::store phone = syncstore::store::open("phone.db");
    index_by_due(phone);
    const syncstore::report report = phone.sync(wire);
    std::cout << "phone has read " << report.pulled() + report.loaded() << " changes:\n";
    const bool same = next_tasks(phone, 3) == "call paint taxes " && whole_effort(phone) == 12;

    try {
        phone.patch("tasks", "no such task", "[]");
    } catch (const syncstore::error& error) {
        std::cout << error.name() << ": " << error.message() << '\n';
    }
    desk.stop(10s);
    if (in_order && same) return 0;
    std::cerr << "these are not the three tasks alone: has the database others?\n";
    return 1;
}

} // namespace

int main(int count, char** arguments)
{
    if (count < 3) {
        std::cerr << "usage: tasks URL TOKEN\n";
        return 2;
    }
    try {
        const int status = run(arguments[1], arguments[2]);
        return status == 0 && syncstore::live_handles() == 0 ? 0 : 1;
    } catch (const syncstore::error& error) {
        std::cerr << error.name() << ": " << error.message() << '\n';
        return 1;
    }
}

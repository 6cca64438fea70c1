/*
 * SyncStore for C++17 and later: syncstore.h with handles that free themselves, string views in, and errors as exceptions or as values.
 *
 * Header-only. It needs the same library as syncstore.h, whose comments say what each call does, and which threads may call it; docs/C-API.md
 * has what holds for all of them. Here only what differs is said.
 *
 * Errors. A call answers answer<T>: that is T, and a failure throws syncstore::error. With SYNCSTORE_NO_EXCEPTIONS defined, or where the compiler
 * has exceptions turned off, it is std::expected<T, syncstore::error> in C++23 and syncstore::result<T>, which is used alike, before. What a C call answers
 * above 0, such as SYNCSTORE_NOT_FOUND, is an empty std::optional, or false. Both ways may be used in one program: they are different types to the linker.
 *
 * Handles are move-only, and freed with their last owner. One that was moved from is empty: a call on it fails with SYNCSTORE_MISUSE.
 *
 * Names go in as std::string_view, and are copied to get a NUL at their end. One that has a NUL within is refused like bad UTF-8, with SYNCSTORE_MISUSE.
 * A std::string_view that comes out belongs to the handle that was asked, and is valid until that is freed.
 *
 * Callbacks are whatever can be called, with captures that may be move-only. A registration owns it, and destroys it when the library will not call it
 * again. An exception never goes through the library: what leaves a callback that runs within one call is thrown again by that call when it ends; what
 * leaves a registered one is dropped, and counts as the failure that its comment names.
 *
 * nlohmann::json values are taken and given where <nlohmann/json.hpp> is found; define SYNCSTORE_NO_NLOHMANN to go without.
 */
#ifndef SYNCSTORE_HPP
#define SYNCSTORE_HPP

#include "syncstore.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#if !defined(__cpp_exceptions) && !defined(_CPPUNWIND) && !defined(SYNCSTORE_NO_EXCEPTIONS)
#define SYNCSTORE_NO_EXCEPTIONS
#endif

#if defined(SYNCSTORE_NO_EXCEPTIONS) && defined(__has_include)
#if __has_include(<expected>)
#include <expected>
#endif
#endif

#if !defined(SYNCSTORE_NO_NLOHMANN) && defined(__has_include)
#if __has_include(<nlohmann/json.hpp>)
#include <nlohmann/json.hpp>
#define SYNCSTORE_HAS_NLOHMANN
#endif
#endif

namespace syncstore {

// The mode is part of every name, so that objects of both modes can be linked into one program.
#if !defined(SYNCSTORE_NO_EXCEPTIONS)
inline namespace throwing {
#elif defined(__cpp_lib_expected)
inline namespace expecting {
#else
inline namespace resulting {
#endif

using milliseconds = std::chrono::milliseconds;

namespace detail {

template <auto Free>
struct freer {
    template <class C>
    void operator()(C* raw) const noexcept
    {
        Free(raw);
    }
};

/// A C handle that is freed with it.
template <class C, auto Free>
class owned {
public:
    using c_type = C;

    /// Takes over a handle that C code made; NULL is an empty one.
    explicit owned(C* raw) noexcept : raw_(raw) {}

    /// The handle for a call of syncstore.h; NULL when it was moved from.
    C* c_handle() const noexcept { return raw_.get(); }

    /// Hands the handle over: the caller frees it.
    C* release() noexcept { return raw_.release(); }

private:
    std::unique_ptr<C, freer<Free>> raw_;
};

/// A C handle that belongs to something else.
template <class C>
class borrowed {
public:
    explicit borrowed(C* raw) noexcept : raw_(raw) {}
    C* c_handle() const noexcept { return raw_; }

private:
    C* raw_;
};

inline constexpr const char* bad_utf8 = "\xff";

/// A copy of a name that ends with NUL; without an allocation up to the longest name of an item.
class name {
public:
    explicit name(std::string_view text)
    {
        if (text.find('\0') != std::string_view::npos) {
            at_ = bad_utf8;
        } else if (text.size() < sizeof(within_)) {
            if (!text.empty()) std::memcpy(within_, text.data(), text.size());
            within_[text.size()] = '\0';
            at_ = within_;
        } else {
            beyond_.assign(text);
            at_ = beyond_.c_str();
        }
    }
    name(const name&) = delete;
    name& operator=(const name&) = delete;

    operator const char*() const noexcept { return at_; }

private:
    char within_[136];
    std::string beyond_;
    const char* at_;
};

/// The same of one that may be absent.
class maybe_name {
public:
    explicit maybe_name(const std::optional<std::string_view>& text)
    {
        if (text) name_.emplace(*text);
    }

    operator const char*() const noexcept { return name_ ? static_cast<const char*>(*name_) : nullptr; }

private:
    std::optional<name> name_;
};

/// A member of options, where NULL is the default.
inline const char* text_or_null(const std::optional<std::string>& text) noexcept
{
    if (!text) return nullptr;
    return text->find('\0') == std::string::npos ? text->c_str() : bad_utf8;
}

inline std::optional<std::string_view> maybe(const char* text)
{
    if (text == nullptr) return std::nullopt;
    return std::string_view(text);
}

inline std::string_view or_empty(const char* text) noexcept { return text == nullptr ? std::string_view() : std::string_view(text); }

inline std::string_view sized(const char* data, std::size_t len) noexcept
{
    return data == nullptr ? std::string_view() : std::string_view(data, len);
}

inline std::int64_t as_ms(const std::optional<milliseconds>& time) noexcept { return time ? time->count() : 0; }

/// Runs what came from the host, and lets no exception out. False: there was one.
template <class F>
bool kept_in(F&& run, std::exception_ptr* thrown = nullptr) noexcept
{
#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
    try {
        run();
        return true;
    } catch (...) {
        if (thrown != nullptr) *thrown = std::current_exception();
        return false;
    }
#else
    (void)thrown;
    run();
    return true;
#endif
}

inline void let_out(const std::exception_ptr& thrown)
{
    if (thrown) std::rethrow_exception(thrown);
}

template <class F>
void destroy(void* user_data) noexcept
{
    delete static_cast<F*>(user_data);
}

/// Goes over whatever has size() and operator[].
template <class L>
class places {
public:
    using iterator_category = std::input_iterator_tag;
    using value_type = decltype(std::declval<const L&>()[0]);
    using difference_type = std::ptrdiff_t;
    using reference = value_type;
    using pointer = void;

    places(const L* list, std::size_t place) noexcept : list_(list), place_(place) {}
    value_type operator*() const { return (*list_)[place_]; }
    places& operator++() noexcept
    {
        ++place_;
        return *this;
    }
    places operator++(int) noexcept
    {
        places before = *this;
        ++place_;
        return before;
    }
    friend bool operator==(const places& one, const places& other) noexcept { return one.place_ == other.place_; }
    friend bool operator!=(const places& one, const places& other) noexcept { return one.place_ != other.place_; }

private:
    const L* list_;
    std::size_t place_;
};

#ifdef SYNCSTORE_HAS_NLOHMANN
/// nlohmann::json itself alone: what converts to it, such as a std::string, is JSON text already.
template <class J>
using only_json = std::enable_if_t<std::is_same_v<J, nlohmann::json>, int>;

// What is no UTF-8 within is replaced, so that nothing throws.
inline std::string dumped(const nlohmann::json& value)
{
    return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}
#endif

/// A list that range-for goes over.
template <class L>
class listed {
public:
    auto begin() const noexcept { return places<L>(static_cast<const L*>(this), 0); }
    auto end() const noexcept { return places<L>(static_cast<const L*>(this), static_cast<const L*>(this)->size()); }
    bool empty() const noexcept { return static_cast<const L*>(this)->size() == 0; }
};

} // namespace detail

/// The version of the library, such as "1.2.3".
inline std::string_view version() noexcept { return syncstore_version(); }

/// How many handles, errors and texts the process holds.
inline std::size_t live_handles() noexcept { return syncstore_live_handles(); }

/// The name of a status, such as "SYNCSTORE_BUSY".
inline std::string_view status_name(syncstore_status status) noexcept { return syncstore_status_name(status); }

/// The name of an operation, a UUID. Refs of one store grow.
struct ref : syncstore_ref {
    ref() noexcept : syncstore_ref{} {}
    ref(const syncstore_ref& raw) noexcept : syncstore_ref(raw) {}

    /// 36 characters.
    std::string to_string() const
    {
        char text[SYNCSTORE_REF_TEXT_SIZE];
        return syncstore_ref_to_text(this, text, sizeof(text), nullptr) == SYNCSTORE_OK ? std::string(text) : std::string();
    }

    friend bool operator==(const ref& a, const ref& b) noexcept { return std::memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0; }
    friend bool operator!=(const ref& a, const ref& b) noexcept { return !(a == b); }
    friend bool operator<(const ref& a, const ref& b) noexcept { return std::memcmp(a.bytes, b.bytes, sizeof(a.bytes)) < 0; }
};

/// What one sync did; that of a sync that failed is in error::report().
class report : public detail::owned<syncstore_report, syncstore_report_free> {
public:
    using owned::owned;

    std::uint64_t pushed() const noexcept { return syncstore_report_pushed(c_handle()); }
    std::uint64_t accepted() const noexcept { return syncstore_report_accepted(c_handle()); }
    std::uint64_t rejected() const noexcept { return syncstore_report_rejected(c_handle()); }
    std::uint64_t skipped() const noexcept { return syncstore_report_skipped(c_handle()); }
    /// Whether the server said that the database has no room.
    bool full() const noexcept { return syncstore_report_full(c_handle()) != 0; }
    std::uint64_t pulled() const noexcept { return syncstore_report_pulled(c_handle()); }
    std::uint64_t loaded() const noexcept { return syncstore_report_loaded(c_handle()); }
    std::uint64_t undone() const noexcept { return syncstore_report_undone(c_handle()); }
    std::uint64_t position() const noexcept { return syncstore_report_position(c_handle()); }
    /// One of SYNCSTORE_BOOTSTRAP_….
    syncstore_bootstrap bootstrapped() const noexcept { return syncstore_report_bootstrapped(c_handle()); }
    milliseconds elapsed() const noexcept { return milliseconds(syncstore_report_elapsed_ms(c_handle())); }
    /// All of it as a JSON object.
    std::string_view json() const noexcept { return syncstore_report_json(c_handle()); }
};

/// Why a call failed. Copies share what there is to know; it may outlive the store.
class error : public std::exception {
public:
    /// Takes over an error that a C call gave, which may be NULL.
    error(syncstore_status code, syncstore_error* raw) : code_(code), raw_(raw, syncstore_error_free) {}

    /// An error of this header's own.
    error(syncstore_status code, std::string words) : code_(code), words_(std::make_shared<const std::string>(std::move(words))) {}

    /// One of SYNCSTORE_…, below 0.
    syncstore_status code() const noexcept { return code_; }
    /// The name of the code, such as "SYNCSTORE_BUSY".
    std::string_view name() const noexcept { return syncstore_status_name(code_); }
    std::string_view message() const noexcept { return what(); }
    const char* what() const noexcept override { return words_ ? words_->c_str() : syncstore_error_message(raw_.get()); }
    /// The status that the C error has; the same as code().
    syncstore_status kept_code() const noexcept { return raw_ ? syncstore_error_code(raw_.get()) : code_; }
    /// Whether the same call may succeed later without anybody doing something.
    bool retryable() const noexcept { return syncstore_error_retryable(raw_.get()) == 1; }
    /// How long the server asks to wait before the next try.
    std::optional<milliseconds> retry_after() const noexcept
    {
        const std::int64_t wait = raw_ ? syncstore_error_retry_after_ms(raw_.get()) : -1;
        return wait < 0 ? std::nullopt : std::optional<milliseconds>(wait);
    }
    std::int32_t sqlite_code() const noexcept { return syncstore_error_sqlite_code(raw_.get()); }
    std::int32_t http_status() const noexcept { return syncstore_error_http_status(raw_.get()); }
    /// The operation that it is about.
    std::optional<ref> op() const noexcept
    {
        ref op;
        return syncstore_error_ref(raw_.get(), &op) == 1 ? std::optional<ref>(op) : std::nullopt;
    }
    /// The item that it is about.
    std::optional<std::string_view> collection() const { return detail::maybe(syncstore_error_collection(raw_.get())); }
    std::optional<std::string_view> key() const { return detail::maybe(syncstore_error_key(raw_.get())); }
    /// What a sync did before it failed.
    std::optional<syncstore::report> report() const
    {
        syncstore_report* did = nullptr;
        if (syncstore_error_report(raw_.get(), &did) != 1) return std::nullopt;
        return std::optional<syncstore::report>(syncstore::report(did));
    }
    /// Of SYNCSTORE_PRECONDITION_FAILED and a stale write, the item's present rev; else 0.
    std::uint64_t rev() const noexcept { return syncstore_error_rev(raw_.get()); }
    /// Of SYNCSTORE_REJECTED, why, such as "stale".
    std::optional<std::string_view> rejection() const { return detail::maybe(syncstore_error_rejection(raw_.get())); }
    /// Of a batch of writes to a server, which is at fault.
    std::optional<std::size_t> failed_write() const noexcept { return place(syncstore_error_failed_write(raw_.get())); }
    std::optional<std::string_view> patch_path() const { return detail::maybe(syncstore_error_patch_path(raw_.get())); }
    std::optional<std::size_t> patch_operation() const noexcept { return place(syncstore_error_patch_operation(raw_.get())); }
    /// Of SYNCSTORE_UNCONFIRMED, what happened instead of an answer.
    syncstore_status cause() const noexcept { return syncstore_error_cause(raw_.get()); }

private:
    std::optional<std::size_t> place(std::int64_t place) const noexcept
    {
        return raw_ == nullptr || place < 0 ? std::nullopt : std::optional<std::size_t>(static_cast<std::size_t>(place));
    }

    syncstore_status code_;
    std::shared_ptr<syncstore_error> raw_;
    std::shared_ptr<const std::string> words_;
};

#if !defined(SYNCSTORE_NO_EXCEPTIONS)

template <class T>
using answer = T;

#elif defined(__cpp_lib_expected)

template <class T>
using answer = std::expected<T, error>;

#else

/// A value, or why there is none: the part of std::expected that C++17 can have. value() and * without a value end the process.
template <class T>
class [[nodiscard]] result {
public:
    using value_type = T;
    using error_type = ::syncstore::error;

    result(T value) : held_(std::in_place_index<0>, std::move(value)) {}
    explicit result(error_type failed) : held_(std::in_place_index<1>, std::move(failed)) {}

    bool has_value() const noexcept { return held_.index() == 0; }
    explicit operator bool() const noexcept { return has_value(); }
    T& value() & { return *there(); }
    const T& value() const& { return *there(); }
    T&& value() && { return std::move(*there()); }
    T& operator*() & { return *there(); }
    const T& operator*() const& { return *there(); }
    T&& operator*() && { return std::move(*there()); }
    T* operator->() { return there(); }
    const T* operator->() const { return there(); }
    template <class U>
    T value_or(U&& other) &&
    {
        return has_value() ? std::move(*there()) : static_cast<T>(std::forward<U>(other));
    }
    /// Only without a value.
    const error_type& error() const
    {
        const error_type* failed = std::get_if<1>(&held_);
        if (failed == nullptr) std::abort();
        return *failed;
    }

private:
    T* there()
    {
        T* value = std::get_if<0>(&held_);
        if (value == nullptr) std::abort();
        return value;
    }
    const T* there() const { return const_cast<result*>(this)->there(); }

    std::variant<T, error_type> held_;
};

template <>
class [[nodiscard]] result<void> {
public:
    using value_type = void;
    using error_type = ::syncstore::error;

    result() = default;
    explicit result(error_type failed) : failed_(std::move(failed)) {}

    bool has_value() const noexcept { return !failed_; }
    explicit operator bool() const noexcept { return has_value(); }
    void value() const
    {
        if (failed_) std::abort();
    }
    const error_type& error() const
    {
        if (!failed_) std::abort();
        return *failed_;
    }

private:
    std::optional<error_type> failed_;
};

template <class T>
using answer = result<T>;

#endif

/// Text that the library gave; freed with it.
class text {
public:
    /// Takes over a text of a C call.
    explicit text(syncstore_text raw) noexcept : raw_(raw) {}
    text(text&& other) noexcept : raw_(std::exchange(other.raw_, syncstore_text{})) {}
    text& operator=(text&& other) noexcept
    {
        std::swap(raw_, other.raw_);
        return *this;
    }
    ~text() { syncstore_text_free(&raw_); }

    std::string_view view() const noexcept { return detail::sized(raw_.data, raw_.len); }
    operator std::string_view() const& noexcept { return view(); }
    operator std::string_view() && = delete;
    std::string str() const { return std::string(detail::sized(raw_.data, raw_.len)); }
    /// With a NUL behind it that does not count; "" when it was moved from.
    const char* c_str() const& noexcept { return raw_.data == nullptr ? "" : raw_.data; }
    std::size_t size() const noexcept { return raw_.len; }
#ifdef SYNCSTORE_HAS_NLOHMANN
    /// Parsed; discarded (is_discarded()) if it is not JSON.
    nlohmann::json json() const
    {
        const std::string_view all = detail::sized(raw_.data, raw_.len);
        return nlohmann::json::parse(all.begin(), all.end(), nullptr, false);
    }
#endif

    friend bool operator==(const text& one, std::string_view other) noexcept { return one.view() == other; }
    friend bool operator!=(const text& one, std::string_view other) noexcept { return one.view() != other; }

private:
    syncstore_text raw_;
};

namespace detail {

template <class R>
answer<R> failed(error failed)
{
#if !defined(SYNCSTORE_NO_EXCEPTIONS)
    throw failed;
#elif defined(__cpp_lib_expected)
    return std::unexpected<error>(std::move(failed));
#else
    return answer<R>(std::move(failed));
#endif
}

/// What a C call puts its answer into, and what is made of that.
template <class R, class = void>
struct output {
    using c_type = R;
    static R take(R raw) { return raw; }
};

template <class R>
struct output<R, std::void_t<typename R::c_type>> {
    using c_type = typename R::c_type*;
    static R take(c_type raw) { return R(raw); }
};

template <>
struct output<text> {
    using c_type = syncstore_text;
    static text take(syncstore_text raw) { return text(raw); }
};

template <>
struct output<ref> {
    using c_type = syncstore_ref;
    static ref take(const syncstore_ref& raw) { return raw; }
};

/// A call with an output that is there on SYNCSTORE_OK.
template <class R, class F>
answer<R> call(F&& made)
{
    typename output<R>::c_type out{};
    syncstore_error* raised = nullptr;
    const syncstore_status status = made(&out, &raised);
    if (status < 0) return failed<R>(error(status, raised));
    return answer<R>(output<R>::take(out));
}

/// A call with an output that may not be there.
template <class R, class F>
answer<std::optional<R>> find(F&& made)
{
    typename output<R>::c_type out{};
    syncstore_error* raised = nullptr;
    const syncstore_status status = made(&out, &raised);
    if (status < 0) return failed<std::optional<R>>(error(status, raised));
    if (status != SYNCSTORE_OK) return answer<std::optional<R>>(std::optional<R>());
    return answer<std::optional<R>>(std::optional<R>(output<R>::take(out)));
}

/// A call without an output.
template <class F>
answer<void> done(F&& made)
{
    syncstore_error* raised = nullptr;
    const syncstore_status status = made(&raised);
    if (status < 0) return failed<void>(error(status, raised));
    return answer<void>();
}

/// A call that answers SYNCSTORE_OK or something else above 0: true or false.
template <class F>
answer<bool> whether(F&& made)
{
    syncstore_error* raised = nullptr;
    const syncstore_status status = made(&raised);
    if (status < 0) return failed<bool>(error(status, raised));
    return answer<bool>(status == SYNCSTORE_OK);
}

template <class R, class F>
std::optional<R> getter(F&& get)
{
    R out{};
    if (get(&out) != 1) return std::nullopt;
    return std::optional<R>(out);
}

/// Something that is told step by step and then run: the first thing that was told wrongly is what running it fails with.
template <class C, auto Free>
class told : public owned<C, Free> {
protected:
    using begun = std::pair<C*, std::optional<error>>;

    explicit told(begun begun) : owned<C, Free>(begun.first), wrong_(std::move(begun.second)) {}

    template <class F>
    static begun begin_by(F&& make)
    {
        C* raw = nullptr;
        syncstore_error* raised = nullptr;
        const syncstore_status status = make(&raw, &raised);
        if (status < 0) return begun(nullptr, error(status, raised));
        return begun(raw, std::nullopt);
    }

    template <class F>
    void tell(F&& call)
    {
        if (wrong_) return;
        syncstore_error* raised = nullptr;
        const syncstore_status status = call(&raised);
        if (status < 0) wrong_.emplace(status, raised);
    }

    template <class R, class F>
    answer<R> run_unless_wrong(F&& run) const
    {
        if (wrong_) return failed<R>(*wrong_);
        return call<R>(std::forward<F>(run));
    }

    const std::optional<error>& wrong() const noexcept { return wrong_; }

private:
    std::optional<error> wrong_;
};

} // namespace detail

/// Reads a ref from 36 characters.
inline answer<ref> to_ref(std::string_view text)
{
    return detail::call<ref>([&](auto out, auto e) { return syncstore_ref_from_text(detail::name(text), out, e); });
}

/// A list of names.
class names : public detail::owned<syncstore_names, syncstore_names_free>, public detail::listed<names> {
public:
    using owned::owned;

    std::size_t size() const noexcept { return syncstore_names_count(c_handle()); }
    /// Empty behind the last one.
    std::string_view operator[](std::size_t place) const noexcept { return detail::or_empty(syncstore_names_at(c_handle(), place)); }
};

// ---- Conflicts and resolvers ------------------------------------------------------------------------------------------------------

enum class op_kind : std::int32_t { set = SYNCSTORE_OP_SET, patch = SYNCSTORE_OP_PATCH, remove = SYNCSTORE_OP_DELETE };

/// What of an item an operation, or a conflict, is on.
enum class resource : std::int32_t {
    value = SYNCSTORE_RESOURCE_VALUE,
    index = SYNCSTORE_RESOURCE_INDEX,
    relation = SYNCSTORE_RESOURCE_RELATION,
    tag = SYNCSTORE_RESOURCE_TAG
};

enum class resolution : std::int32_t {
    leave_open = SYNCSTORE_RESOLUTION_LEAVE_OPEN,
    keep_rebased = SYNCSTORE_RESOLUTION_KEEP_REBASED,
    take_theirs = SYNCSTORE_RESOLUTION_TAKE_THEIRS,
    keep_ours = SYNCSTORE_RESOLUTION_KEEP_OURS,
    merged = SYNCSTORE_RESOLUTION_MERGED
};

enum class prefer : std::int32_t { ours = SYNCSTORE_PREFER_OURS, theirs = SYNCSTORE_PREFER_THEIRS };

/// How a conflict ended. A later library may know others.
enum class ending : std::int32_t {
    none = SYNCSTORE_ENDING_NONE,
    kept_rebased = SYNCSTORE_ENDING_KEPT_REBASED,
    took_theirs = SYNCSTORE_ENDING_TOOK_THEIRS,
    kept_ours = SYNCSTORE_ENDING_KEPT_OURS,
    merged = SYNCSTORE_ENDING_MERGED,
    rejected = SYNCSTORE_ENDING_REJECTED,
    gone = SYNCSTORE_ENDING_GONE
};

/// A conflict as it was when it was listed; it belongs to its list, or to the resolver's call.
class conflict : public detail::borrowed<const syncstore_conflict> {
public:
    using borrowed::borrowed;

    std::uint64_t id() const noexcept { return syncstore_conflict_id(c_handle()); }
    std::string_view collection() const noexcept { return detail::or_empty(syncstore_conflict_collection(c_handle())); }
    std::string_view key() const noexcept { return detail::or_empty(syncstore_conflict_key(c_handle())); }
    syncstore::resource resource() const noexcept { return static_cast<syncstore::resource>(syncstore_conflict_resource(c_handle())); }
    std::optional<std::string_view> resource_name() const { return detail::maybe(syncstore_conflict_resource_name(c_handle())); }
    /// The sides, as JSON text; nothing: there it is absent.
    std::optional<std::string_view> base() const { return detail::maybe(syncstore_conflict_base(c_handle())); }
    std::optional<std::string_view> local() const { return detail::maybe(syncstore_conflict_local(c_handle())); }
    std::optional<std::string_view> remote() const { return detail::maybe(syncstore_conflict_remote(c_handle())); }
    std::optional<std::string_view> view() const { return detail::maybe(syncstore_conflict_view(c_handle())); }
    /// In milliseconds since 1970.
    std::uint64_t opened_at() const noexcept { return syncstore_conflict_opened_at(c_handle()); }
    syncstore::ending ending() const noexcept { return static_cast<syncstore::ending>(syncstore_conflict_ending(c_handle())); }
    std::uint64_t ended_at() const noexcept { return syncstore_conflict_ended_at(c_handle()); }
    std::optional<ref> op() const noexcept
    {
        return detail::getter<ref>([&](auto out) { return syncstore_conflict_ref(c_handle(), out); });
    }
    /// The sides merged member by member; nothing where it is to be absent.
    answer<std::optional<text>> merge(prefer prefer) const
    {
        return detail::find<text>(
            [&](auto out, auto e) { return syncstore_conflict_merge(c_handle(), static_cast<std::int32_t>(prefer), out, e); });
    }
};

class conflict_list : public detail::owned<syncstore_conflict_list, syncstore_conflict_list_free>, public detail::listed<conflict_list> {
public:
    using owned::owned;

    std::size_t size() const noexcept { return syncstore_conflict_list_count(c_handle()); }
    /// Without anything behind the last one.
    conflict operator[](std::size_t place) const noexcept { return conflict(syncstore_conflict_list_at(c_handle(), place)); }
};

/// What a resolver says of a conflict, until its callback returns; what it says last counts.
class resolver_answer : public detail::borrowed<syncstore_answer> {
public:
    using borrowed::borrowed;

    /// `json` is the value of resolution::merged.
    answer<void> resolve(resolution resolution, std::string_view json = {})
    {
        return detail::done([&](auto e) {
            return syncstore_answer_resolve(c_handle(), static_cast<std::int32_t>(resolution), json.data(), json.size(), e);
        });
    }
#ifdef SYNCSTORE_HAS_NLOHMANN
    template <class J, detail::only_json<J> = 0>
    answer<void> resolve(resolution resolution, const J& value)
    {
        return resolve(resolution, std::string_view(detail::dumped(value)));
    }
#endif
    answer<void> fail(std::string_view message)
    {
        return detail::done([&](auto e) { return syncstore_answer_fail(c_handle(), detail::name(message), e); });
    }
};

/// Decides conflicts as syncs find them, for the stores that are opened with it (options::resolver).
class resolver : public detail::owned<syncstore_resolver, syncstore_resolver_free> {
public:
    using owned::owned;

    /// callback(syncstore::conflict, syncstore::resolver_answer), which several threads may call at a time. What leaves it is a failure: the conflict stays open.
    template <class F>
    static answer<resolver> from(F callback)
    {
        const syncstore_resolver_callback asked = [](void* user_data, const syncstore_conflict* raw, syncstore_answer* says) {
            if (!detail::kept_in([&] { (*static_cast<F*>(user_data))(conflict(raw), resolver_answer(says)); })) {
                syncstore_answer_fail(says, "the resolver threw an exception", nullptr);
            }
        };
        F* owned = new F(std::move(callback));
        return detail::call<resolver>(
            [&](auto out, auto e) { return syncstore_resolver_new(asked, owned, detail::destroy<F>, out, e); });
    }
    static answer<resolver> field_merge(prefer prefer)
    {
        return detail::call<resolver>(
            [&](auto out, auto e) { return syncstore_resolver_field_merge(static_cast<std::int32_t>(prefer), out, e); });
    }
    static answer<resolver> last_writer(std::string_view pointer)
    {
        return detail::call<resolver>([&](auto out, auto e) { return syncstore_resolver_last_writer(detail::name(pointer), out, e); });
    }
};

// ---- The store's options --------------------------------------------------------------------------------------------------------

enum class durability : std::int32_t { normal = SYNCSTORE_DURABILITY_NORMAL, full = SYNCSTORE_DURABILITY_FULL };

/// What became of what was to stop.
enum class stopped : std::int32_t {
    entirely = SYNCSTORE_STOPPED_ENTIRELY,
    request_left = SYNCSTORE_STOPPED_REQUEST_LEFT,
    soon = SYNCSTORE_STOPPED_SOON
};

/// How a store is opened. As it is made, all of it is the default; so is whatever is left empty or 0.
struct options {
    syncstore::durability durability = syncstore::durability::normal;
    bool coalescing = true;
    bool prefetch = true;
    bool keep_everything = false;
    std::optional<std::string> keep;
    std::optional<std::string> vfs;
    std::optional<milliseconds> busy_timeout;
    std::uint64_t cache_bytes = 0;
    /// -1 ms: age alone removes none.
    std::optional<milliseconds> retention_age;
    /// -1: number alone removes none.
    std::int64_t retention_outcomes = 0;
    std::uint64_t largest_file = 0;
    std::uint32_t push_ops = 0;
    std::uint32_t pull_entries = 0;
    std::uint32_t checkpoint_items = 0;
    std::uint32_t pages = 0;
    std::uint64_t retry_attempts = 0;
    std::optional<milliseconds> retry_first_wait;
    std::optional<milliseconds> retry_longest_wait;
    /// -1 ms: it never waits.
    std::optional<milliseconds> retry_total_wait;
    /// Decides conflicts; it has to be there until the store is open.
    const syncstore::resolver* resolver = nullptr;

    /// The same for C, good as long as this is not changed.
    syncstore_options c_options() const noexcept
    {
        syncstore_options c = SYNCSTORE_OPTIONS_INIT;
        c.durability = static_cast<std::int32_t>(durability);
        c.no_coalescing = coalescing ? 0 : 1;
        c.no_prefetch = prefetch ? 0 : 1;
        c.keep_everything = keep_everything ? 1 : 0;
        c.keep = detail::text_or_null(keep);
        c.vfs = detail::text_or_null(vfs);
        c.busy_timeout_ms = detail::as_ms(busy_timeout);
        c.cache_bytes = cache_bytes;
        c.retention_age_ms = detail::as_ms(retention_age);
        c.retention_outcomes = retention_outcomes;
        c.largest_file = largest_file;
        c.push_ops = push_ops;
        c.pull_entries = pull_entries;
        c.checkpoint_items = checkpoint_items;
        c.pages = pages;
        c.retry_attempts = retry_attempts;
        c.retry_first_wait_ms = detail::as_ms(retry_first_wait);
        c.retry_longest_wait_ms = detail::as_ms(retry_longest_wait);
        c.retry_total_wait_ms = detail::as_ms(retry_total_wait);
        c.resolver = resolver == nullptr ? nullptr : resolver->c_handle();
        return c;
    }
};

// ---- Outcomes -------------------------------------------------------------------------------------------------------------------

/// What became of an operation. A later library may know others.
enum class outcome_kind : std::int32_t {
    queued = SYNCSTORE_OUTCOME_QUEUED,
    in_flight = SYNCSTORE_OUTCOME_IN_FLIGHT,
    accepted = SYNCSTORE_OUTCOME_ACCEPTED,
    rejected = SYNCSTORE_OUTCOME_REJECTED,
    folded_into = SYNCSTORE_OUTCOME_FOLDED_INTO,
    retried_as = SYNCSTORE_OUTCOME_RETRIED_AS,
    withdrawn = SYNCSTORE_OUTCOME_WITHDRAWN,
    undone = SYNCSTORE_OUTCOME_UNDONE
};

namespace detail {

template <class Self>
class outcome_getters {
public:
    outcome_kind kind() const noexcept { return static_cast<outcome_kind>(syncstore_outcome_kind_of(raw())); }
    /// Its place in the server's log; 0: it has none.
    std::uint64_t seq() const noexcept { return syncstore_outcome_seq(raw()); }
    /// The other operation that it became, or gave way to.
    std::optional<ref> other() const noexcept
    {
        return getter<ref>([&](auto op) { return syncstore_outcome_ref(raw(), op); });
    }
    /// Why it was rejected, such as "stale".
    std::optional<std::string_view> code() const { return maybe(syncstore_outcome_code(raw())); }
    std::optional<std::string_view> message() const { return maybe(syncstore_outcome_message(raw())); }
    /// More on that as JSON text.
    std::optional<std::string_view> detail() const { return maybe(syncstore_outcome_detail(raw())); }

private:
    const syncstore_outcome* raw() const noexcept { return static_cast<const Self*>(this)->c_handle(); }
};

} // namespace detail

class outcome : public detail::owned<syncstore_outcome, syncstore_outcome_free>, public detail::outcome_getters<outcome> {
public:
    using owned::owned;
};

// ---- Batches --------------------------------------------------------------------------------------------------------------------

/// Operations that stand or fall together; see store::batch(). One that is destroyed without commit() writes nothing.
class batch : public detail::owned<syncstore_batch, syncstore_batch_free> {
public:
    using owned::owned;

    answer<void> set(std::string_view collection, std::string_view key, std::string_view json)
    {
        return detail::done([&](auto e) {
            return syncstore_batch_set(c_handle(), detail::name(collection), detail::name(key), json.data(), json.size(), e);
        });
    }
    answer<void> patch(std::string_view collection, std::string_view key, std::string_view patch)
    {
        return detail::done([&](auto e) {
            return syncstore_batch_patch(c_handle(), detail::name(collection), detail::name(key), patch.data(), patch.size(), e);
        });
    }
#ifdef SYNCSTORE_HAS_NLOHMANN
    template <class J, detail::only_json<J> = 0>
    answer<void> set(std::string_view collection, std::string_view key, const J& value)
    {
        return set(collection, key, std::string_view(detail::dumped(value)));
    }
    template <class J, detail::only_json<J> = 0>
    answer<void> patch(std::string_view collection, std::string_view key, const J& patch)
    {
        return this->patch(collection, key, std::string_view(detail::dumped(patch)));
    }
#endif
    answer<void> remove(std::string_view collection, std::string_view key)
    {
        return detail::done([&](auto e) { return syncstore_batch_delete(c_handle(), detail::name(collection), detail::name(key), e); });
    }
    answer<void> set_index(std::string_view collection, std::string_view key, std::string_view index, std::string_view order)
    {
        return detail::done([&](auto e) {
            return syncstore_batch_set_index(
                c_handle(), detail::name(collection), detail::name(key), detail::name(index), detail::name(order), e);
        });
    }
    answer<void> remove_index(std::string_view collection, std::string_view key, std::string_view index)
    {
        return detail::done([&](auto e) {
            return syncstore_batch_delete_index(c_handle(), detail::name(collection), detail::name(key), detail::name(index), e);
        });
    }
    answer<void> set_relation(
        std::string_view collection,
        std::string_view key,
        std::string_view id,
        std::string_view predicate,
        std::string_view object_collection,
        std::string_view object_key)
    {
        return detail::done([&](auto e) {
            return syncstore_batch_set_relation(
                c_handle(), detail::name(collection), detail::name(key), detail::name(id), detail::name(predicate),
                detail::name(object_collection), detail::name(object_key), e);
        });
    }
    answer<void> remove_relation(std::string_view collection, std::string_view key, std::string_view id)
    {
        return detail::done([&](auto e) {
            return syncstore_batch_delete_relation(c_handle(), detail::name(collection), detail::name(key), detail::name(id), e);
        });
    }
    answer<void> add_tag(std::string_view collection, std::string_view key, std::string_view tag)
    {
        return detail::done([&](auto e) {
            return syncstore_batch_add_tag(c_handle(), detail::name(collection), detail::name(key), detail::name(tag), e);
        });
    }
    answer<void> remove_tag(std::string_view collection, std::string_view key, std::string_view tag)
    {
        return detail::done([&](auto e) {
            return syncstore_batch_remove_tag(c_handle(), detail::name(collection), detail::name(key), detail::name(tag), e);
        });
    }
    answer<void> commit()
    {
        return detail::done([&](auto e) { return syncstore_batch_commit(c_handle(), e); });
    }

    /// Once committed, unless it was empty.
    std::optional<ref> id() const noexcept
    {
        return detail::getter<ref>([&](auto out) { return syncstore_batch_id(c_handle(), out); });
    }
    /// The refs of its operations, once committed.
    std::vector<ref> ops() const
    {
        std::vector<ref> all(syncstore_batch_count(c_handle()));
        for (std::size_t place = 0; place < all.size(); ++place) syncstore_batch_op(c_handle(), place, &all[place]);
        return all;
    }
};

// ---- Rows and queries -----------------------------------------------------------------------------------------------------------

/// An instant in an index of dates.
struct instant {
    /// Since the beginning of 1970 in UTC, rounded down.
    std::int64_t seconds = 0;
    /// What is beyond them, below 1,000,000,000.
    std::uint32_t nanos = 0;

    friend bool operator==(const instant& a, const instant& b) noexcept { return a.seconds == b.seconds && a.nanos == b.nanos; }
    friend bool operator!=(const instant& a, const instant& b) noexcept { return !(a == b); }
};

/// A value in an index: of JSON, or an instant.
using index_value = std::variant<bool, std::int64_t, std::uint64_t, double, instant, std::string_view>;

/// One row. Its texts belong to the rows, or, in query::for_each(), to the library until the callback returns.
struct row {
    std::string_view key;
    /// The JSON text; its data() is NULL where the query is for keys only.
    std::string_view value;
    /// The ordering key, where the query goes by an index.
    std::optional<std::string_view> order;

    explicit row(const syncstore_row& raw)
        : key(detail::sized(raw.key, raw.key_len)), value(detail::sized(raw.value, raw.value_len)),
          order(raw.order == nullptr ? std::nullopt : std::optional<std::string_view>(detail::sized(raw.order, raw.order_len)))
    {
    }

#ifdef SYNCSTORE_HAS_NLOHMANN
    nlohmann::json json() const { return nlohmann::json::parse(value.begin(), value.end(), nullptr, false); }
#endif
};

/// Rows that were read, all as of one moment. Range-for goes over them, as often as it likes; next() is a cursor.
class rows : public detail::owned<syncstore_rows, syncstore_rows_free>, public detail::listed<rows> {
public:
    using owned::owned;

    std::size_t size() const noexcept { return syncstore_rows_count(c_handle()); }
    /// Empty behind the last one.
    row operator[](std::size_t place) const
    {
        syncstore_row raw{};
        syncstore_rows_at(c_handle(), place, &raw);
        return row(raw);
    }
    std::optional<row> next()
    {
        syncstore_row raw{};
        if (syncstore_rows_next(c_handle(), &raw) != 1) return std::nullopt;
        return row(raw);
    }
    /// What the row at a place stands at in the index; nothing where the query goes by key.
    std::optional<index_value> order_value(std::size_t place) const
    {
        syncstore_index_value value{};
        const char* text = nullptr;
        std::size_t len = 0;
        if (syncstore_rows_order_value(c_handle(), place, &value, &text, &len) != 1) return std::nullopt;
        switch (value.index_type) {
        case SYNCSTORE_INDEX_BOOL: return index_value(value.integer != 0);
        case SYNCSTORE_INDEX_INTEGER: return index_value(value.integer);
        case SYNCSTORE_INDEX_UNSIGNED: return index_value(value.unsigned_integer);
        case SYNCSTORE_INDEX_REAL: return index_value(value.real);
        case SYNCSTORE_INDEX_INSTANT: return index_value(instant{value.integer, value.nanos});
        case SYNCSTORE_INDEX_TEXT: return index_value(detail::sized(text, len));
        default: return std::nullopt;
        }
    }
    /// Whether the limit cut the rows.
    bool more() const noexcept { return syncstore_rows_more(c_handle()) == 1; }
    /// Where a query goes on that the limit cut.
    std::optional<std::string_view> token() const
    {
        std::size_t len = 0;
        const char* data = syncstore_rows_token(c_handle(), &len);
        return data == nullptr ? std::nullopt : std::optional<std::string_view>(std::string_view(data, len));
    }
    bool is_complete() const noexcept { return syncstore_rows_is_complete(c_handle()) == 1; }
};

/// Which keys are listed; as it is made, all, ascending.
struct list_options {
    std::optional<std::string> prefix;
    std::optional<std::string> from;
    std::optional<std::string> to;
    std::optional<std::string> after;
    std::uint64_t limit = 0;
    bool reverse = false;

    syncstore_list_options c_options() const noexcept
    {
        syncstore_list_options c = SYNCSTORE_LIST_OPTIONS_INIT;
        c.prefix = detail::text_or_null(prefix);
        c.from = detail::text_or_null(from);
        c.to = detail::text_or_null(to);
        c.after = detail::text_or_null(after);
        c.limit = limit;
        c.reverse = reverse ? 1 : 0;
        return c;
    }
};

/// The bound of a query: a text, a number, a bool, an instant.
class bound {
public:
    bound(std::string_view text) : at_(text) {}
    bound(const char* text) : at_(std::string_view(text)) {}
    bound(const std::string& text) : at_(std::string_view(text)) {}
    bound(instant at) : at_(at) {}
    template <class N, std::enable_if_t<std::is_arithmetic_v<N>, int> = 0>
    bound(N number) : at_(of(number))
    {
    }

    const index_value& value() const noexcept { return at_; }

private:
    template <class N>
    static index_value of(N number)
    {
        if constexpr (std::is_same_v<N, bool>) {
            return index_value(number);
        } else if constexpr (std::is_floating_point_v<N>) {
            return index_value(static_cast<double>(number));
        } else if constexpr (std::is_signed_v<N>) {
            return index_value(static_cast<std::int64_t>(number));
        } else {
            return index_value(static_cast<std::uint64_t>(number));
        }
    }

    index_value at_;
};

// Each way of telling is there twice: a named handle is told and handed on by reference, one that was just made by value, so that
// range-for over `store.query("notes").limit(3)` keeps it.
#define SYNCSTORE_TOLD(type, signature, call) \
    type& signature& \
    { \
        this->tell([&](syncstore_error** e) { return call; }); \
        return *this; \
    } \
    type signature&& \
    { \
        this->tell([&](syncstore_error** e) { return call; }); \
        return std::move(*this); \
    }

/// A query: told what to read, then run, any number of times. What was told wrongly is what run() fails with.
///
///     for (syncstore::row row : store.query("notes").prefix("2026-").limit(100)) …
///
/// Without exceptions begin() could not say that the query failed, so it is not there: run() it, and go over the rows.
class query : public detail::told<syncstore_query, syncstore_query_free> {
public:
    query(syncstore_store* store, std::string_view collection)
        : told(begin_by([&](auto out, auto e) { return syncstore_query_new(store, detail::name(collection), out, e); }))
    {
    }

    /// Goes by an index; nothing: by key.
    SYNCSTORE_TOLD(query, index(std::optional<std::string_view> name), syncstore_query_index(c_handle(), detail::maybe_name(name), e))
    SYNCSTORE_TOLD(query, prefix(std::string_view text), syncstore_query_prefix(c_handle(), text.data(), text.size(), e))
    /// The first that is read.
    SYNCSTORE_TOLD(query, from(bound first), tell_from(first.value(), e))
    /// The first that is not read, whatever the direction.
    SYNCSTORE_TOLD(query, to(bound end), tell_to(end.value(), e))
    SYNCSTORE_TOLD(query, reverse(bool descending = true), syncstore_query_reverse(c_handle(), descending ? 1 : 0, e))
    /// -1: all.
    SYNCSTORE_TOLD(query, limit(std::int64_t rows), syncstore_query_limit(c_handle(), rows, e))
    /// Behind an earlier page; rows::token() has where.
    SYNCSTORE_TOLD(query, resume(std::string_view token), syncstore_query_resume(c_handle(), token.data(), token.size(), e))
    SYNCSTORE_TOLD(query, keys_only(bool only = true), syncstore_query_keys_only(c_handle(), only ? 1 : 0, e))

    /// Reads the rows.
    answer<rows> run() const
    {
        return run_unless_wrong<rows>([&](auto out, auto e) { return syncstore_query_run(c_handle(), out, e); });
    }

    /// Hands each row to a callback as it is read, without a copy. It may answer a bool, of which false ends the query; what it throws ends it too, and
    /// is thrown again here.
    template <class F>
    answer<void> for_each(F&& callback) const
    {
        struct each {
            std::remove_reference_t<F>* callback;
            std::exception_ptr thrown;
        };
        if (this->wrong()) return detail::failed<void>(*this->wrong());
        each each{&callback, nullptr};
        const syncstore_row_callback handed = [](void* user_data, const syncstore_row* raw) -> std::int32_t {
            auto* each = static_cast<struct each*>(user_data);
            bool on = true;
            const bool kept = detail::kept_in(
                [&] {
                    if constexpr (std::is_convertible_v<std::invoke_result_t<F&, row>, bool>) {
                        on = (*each->callback)(row(*raw));
                    } else {
                        (*each->callback)(row(*raw));
                    }
                },
                &each->thrown);
            return kept && on ? 0 : 1;
        };
        syncstore_error* raised = nullptr;
        const syncstore_status status = syncstore_query_for_each(c_handle(), handed, &each, &raised);
        std::optional<error> wrong;
        if (status < 0) wrong.emplace(status, raised);
        detail::let_out(each.thrown);
        if (wrong) return detail::failed<void>(std::move(*wrong));
        return answer<void>();
    }

#if !defined(SYNCSTORE_NO_EXCEPTIONS)
    /// The rows of a run, which live as long as an iterator over them.
    class iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = row;
        using difference_type = std::ptrdiff_t;
        using reference = row;
        using pointer = void;

        iterator() noexcept = default;
        explicit iterator(rows all) : rows_(std::make_shared<rows>(std::move(all))) {}
        row operator*() const { return (*rows_)[place_]; }
        iterator& operator++() noexcept
        {
            ++place_;
            return *this;
        }
        iterator operator++(int) noexcept
        {
            iterator before = *this;
            ++place_;
            return before;
        }
        friend bool operator==(const iterator& a, const iterator& b) noexcept { return a.left() == b.left(); }
        friend bool operator!=(const iterator& a, const iterator& b) noexcept { return a.left() != b.left(); }

    private:
        std::size_t left() const noexcept { return rows_ ? rows_->size() - place_ : 0; }

        std::shared_ptr<rows> rows_;
        std::size_t place_ = 0;
    };

    /// Runs the query.
    iterator begin() const { return iterator(run()); }
    iterator end() const noexcept { return iterator(); }
#endif

private:
    syncstore_status tell_from(const index_value& first, syncstore_error** e)
    {
        return std::visit(
            [&](const auto& value) -> syncstore_status {
                using T = std::decay_t<decltype(value)>;
                if constexpr (std::is_same_v<T, bool>) return syncstore_query_from_bool(c_handle(), value ? 1 : 0, e);
                else if constexpr (std::is_same_v<T, std::int64_t>) return syncstore_query_from_integer(c_handle(), value, e);
                else if constexpr (std::is_same_v<T, std::uint64_t>) return syncstore_query_from_unsigned(c_handle(), value, e);
                else if constexpr (std::is_same_v<T, double>) return syncstore_query_from_real(c_handle(), value, e);
                else if constexpr (std::is_same_v<T, instant>) return syncstore_query_from_instant(c_handle(), value.seconds, value.nanos, e);
                else return syncstore_query_from_text(c_handle(), value.data(), value.size(), e);
            },
            first);
    }
    syncstore_status tell_to(const index_value& end, syncstore_error** e)
    {
        return std::visit(
            [&](const auto& value) -> syncstore_status {
                using T = std::decay_t<decltype(value)>;
                if constexpr (std::is_same_v<T, bool>) return syncstore_query_to_bool(c_handle(), value ? 1 : 0, e);
                else if constexpr (std::is_same_v<T, std::int64_t>) return syncstore_query_to_integer(c_handle(), value, e);
                else if constexpr (std::is_same_v<T, std::uint64_t>) return syncstore_query_to_unsigned(c_handle(), value, e);
                else if constexpr (std::is_same_v<T, double>) return syncstore_query_to_real(c_handle(), value, e);
                else if constexpr (std::is_same_v<T, instant>) return syncstore_query_to_instant(c_handle(), value.seconds, value.nanos, e);
                else return syncstore_query_to_text(c_handle(), value.data(), value.size(), e);
            },
            end);
    }
};

// ---- Index entries, relations, walks ---------------------------------------------------------------------------------------------

struct index_entry {
    std::string_view name;
    std::string_view order;
};

/// The index entries of an item.
class index_entries : public detail::owned<syncstore_index_entries, syncstore_index_entries_free>, public detail::listed<index_entries> {
public:
    using owned::owned;

    std::size_t size() const noexcept { return syncstore_index_entries_count(c_handle()); }
    index_entry operator[](std::size_t place) const noexcept
    {
        return {detail::or_empty(syncstore_index_entries_name(c_handle(), place)), detail::or_empty(syncstore_index_entries_order(c_handle(), place))};
    }
};

struct relation {
    std::string_view id;
    std::string_view predicate;
    /// The item at the other end.
    std::string_view collection;
    std::string_view key;
};

/// Relations of an item, as their subject or as their object.
class relation_list : public detail::owned<syncstore_relation_list, syncstore_relation_list_free>, public detail::listed<relation_list> {
public:
    using owned::owned;

    std::size_t size() const noexcept { return syncstore_relation_list_count(c_handle()); }
    relation operator[](std::size_t place) const noexcept
    {
        return {
            detail::or_empty(syncstore_relation_list_id(c_handle(), place)),
            detail::or_empty(syncstore_relation_list_predicate(c_handle(), place)),
            detail::or_empty(syncstore_relation_list_collection(c_handle(), place)),
            detail::or_empty(syncstore_relation_list_key(c_handle(), place))};
    }
};

struct related_item {
    std::string_view collection;
    std::string_view key;
    std::size_t depth;
    /// Where values were asked for, and there is such an item.
    std::optional<std::string_view> value;
};

/// What a walk found, the nearest first.
class related_items : public detail::owned<syncstore_related_items, syncstore_related_items_free>, public detail::listed<related_items> {
public:
    using owned::owned;

    std::size_t size() const noexcept { return syncstore_related_items_count(c_handle()); }
    related_item operator[](std::size_t place) const
    {
        std::size_t len = 0;
        const char* value = syncstore_related_items_value(c_handle(), place, &len);
        return {
            detail::or_empty(syncstore_related_items_collection(c_handle(), place)),
            detail::or_empty(syncstore_related_items_key(c_handle(), place)), syncstore_related_items_depth(c_handle(), place),
            value == nullptr ? std::nullopt : std::optional<std::string_view>(std::string_view(value, len))};
    }
    /// Whether the limit cut the walk.
    bool more() const noexcept { return syncstore_related_items_more(c_handle()) == 1; }
};

/// A walk over relations: told its steps and bounds, then run. What was told wrongly is what run() fails with.
class walk : public detail::told<syncstore_walk, syncstore_walk_free> {
public:
    walk(syncstore_store* store, std::string_view collection, std::string_view key)
        : told(begin_by([&](auto out, auto e) { return syncstore_walk_new(store, detail::name(collection), detail::name(key), out, e); }))
    {
    }

    SYNCSTORE_TOLD(walk, forwards(std::string_view predicate), syncstore_walk_forwards(c_handle(), detail::name(predicate), e))
    SYNCSTORE_TOLD(walk, backwards(std::string_view predicate), syncstore_walk_backwards(c_handle(), detail::name(predicate), e))
    SYNCSTORE_TOLD(walk, depth(std::size_t steps), syncstore_walk_depth(c_handle(), steps, e))
    SYNCSTORE_TOLD(walk, limit(std::size_t items), syncstore_walk_limit(c_handle(), items, e))
    SYNCSTORE_TOLD(walk, values(bool with = true), syncstore_walk_values(c_handle(), with ? 1 : 0, e))

    answer<related_items> run() const
    {
        return run_unless_wrong<related_items>([&](auto out, auto e) { return syncstore_walk_run(c_handle(), out, e); });
    }
};

// ---- Searches, SQL, filters, pending operations ------------------------------------------------------------------------------------

enum class search_mode : std::int32_t {
    words = SYNCSTORE_SEARCH_WORDS,
    words_so_far = SYNCSTORE_SEARCH_WORDS_SO_FAR,
    expression = SYNCSTORE_SEARCH_EXPRESSION
};

struct search_options {
    std::uint64_t limit = 0;
    std::optional<std::string> mark_before;
    std::optional<std::string> mark_behind;

    syncstore_search_options c_options() const noexcept
    {
        syncstore_search_options c = SYNCSTORE_SEARCH_OPTIONS_INIT;
        c.limit = limit;
        c.mark_before = detail::text_or_null(mark_before);
        c.mark_behind = detail::text_or_null(mark_behind);
        return c;
    }
};

struct hit {
    std::string_view key;
    double rank;
    std::string_view snippet;
};

/// What a search found, the best first.
class hits : public detail::owned<syncstore_hits, syncstore_hits_free>, public detail::listed<hits> {
public:
    using owned::owned;

    std::size_t size() const noexcept { return syncstore_hits_count(c_handle()); }
    hit operator[](std::size_t place) const
    {
        std::size_t len = 0;
        const char* snippet = syncstore_hits_snippet(c_handle(), place, &len);
        return {
            detail::or_empty(syncstore_hits_key(c_handle(), place)), syncstore_hits_rank(c_handle(), place), detail::sized(snippet, len)};
    }
    bool is_complete() const noexcept { return syncstore_hits_is_complete(c_handle()) == 1; }
};

/// Bytes that belong to something else.
struct blob {
    const void* data = nullptr;
    std::size_t size = 0;

    friend bool operator==(const blob& a, const blob& b) noexcept
    {
        return a.size == b.size && (a.size == 0 || std::memcmp(a.data, b.data, a.size) == 0);
    }
    friend bool operator!=(const blob& a, const blob& b) noexcept { return !(a == b); }
};

/// A value of SQLite; std::monostate is NULL. What is read belongs to the rows.
using sql_value = std::variant<std::monostate, std::int64_t, double, std::string_view, blob>;

/// What a statement found, all as of one moment.
class sql_rows : public detail::owned<syncstore_sql_rows, syncstore_sql_rows_free>, public detail::listed<sql_rows> {
public:
    using owned::owned;

    /// One row; it belongs to the rows.
    class row {
    public:
        row(const syncstore_sql_rows* rows, std::size_t place) noexcept : rows_(rows), place_(place) {}

        std::size_t size() const noexcept { return syncstore_sql_rows_columns(rows_); }
        /// Also behind the last column, where it is NULL.
        sql_value operator[](std::size_t column) const
        {
            std::size_t len = 0;
            switch (syncstore_sql_rows_type(rows_, place_, column)) {
            case SYNCSTORE_SQL_INTEGER: return sql_value(syncstore_sql_rows_integer(rows_, place_, column));
            case SYNCSTORE_SQL_REAL: return sql_value(syncstore_sql_rows_real(rows_, place_, column));
            case SYNCSTORE_SQL_TEXT: {
                const char* text = syncstore_sql_rows_text(rows_, place_, column, &len);
                return sql_value(detail::sized(text, len));
            }
            case SYNCSTORE_SQL_BLOB: {
                const void* bytes = syncstore_sql_rows_blob(rows_, place_, column, &len);
                return sql_value(blob{bytes, len});
            }
            default: return sql_value();
            }
        }
        /// By the name of the column; NULL where there is none.
        sql_value operator[](std::string_view column) const
        {
            const std::int64_t place = syncstore_sql_rows_column(rows_, detail::name(column));
            return place < 0 ? sql_value() : (*this)[static_cast<std::size_t>(place)];
        }
        sql_value operator[](const char* column) const { return (*this)[std::string_view(column)]; }

    private:
        const syncstore_sql_rows* rows_;
        std::size_t place_;
    };

    std::size_t size() const noexcept { return syncstore_sql_rows_count(c_handle()); }
    row operator[](std::size_t place) const noexcept { return row(c_handle(), place); }
    std::vector<std::string_view> columns() const
    {
        std::vector<std::string_view> all(syncstore_sql_rows_columns(c_handle()));
        for (std::size_t column = 0; column < all.size(); ++column) all[column] = syncstore_sql_rows_column_name(c_handle(), column);
        return all;
    }
};

/// What is bound to a parameter.
class sql_parameter {
public:
    sql_parameter(std::nullptr_t) {}
    sql_parameter(std::string_view text) : at_(text) {}
    sql_parameter(const char* text) : at_(std::string_view(text)) {}
    sql_parameter(const std::string& text) : at_(std::string_view(text)) {}
    sql_parameter(blob bytes) : at_(bytes) {}
    template <class N, std::enable_if_t<std::is_integral_v<N> && (sizeof(N) < 8 || std::is_signed_v<N>), int> = 0>
    sql_parameter(N number) : at_(static_cast<std::int64_t>(number))
    {
    }
    sql_parameter(double number) : at_(number) {}

    const sql_value& value() const noexcept { return at_; }

private:
    sql_value at_;
};

/// One SELECT over docs/SQL.md's views: given its parameters, then run, any number of times. What was bound wrongly is what run() fails with.
class sql : public detail::told<syncstore_sql, syncstore_sql_free> {
public:
    sql(syncstore_store* store, std::string_view select)
        : told(begin_by([&](auto out, auto e) { return syncstore_sql_new(store, select.data(), select.size(), out, e); }))
    {
    }

    /// The next of the parameters "?".
    SYNCSTORE_TOLD(sql, bind(sql_parameter value), tell_bound(std::nullopt, value.value(), e))
    /// One with a name and its sign, such as ":from".
    SYNCSTORE_TOLD(sql, bind(std::string_view name, sql_parameter value), tell_bound(name, value.value(), e))
    SYNCSTORE_TOLD(sql, unbind(), syncstore_sql_unbind(c_handle(), e))
    /// Of each, 0 is the default.
    SYNCSTORE_TOLD(
        sql,
        limits(std::uint64_t rows, std::uint64_t bytes = 0, milliseconds time = milliseconds(0)),
        syncstore_sql_limits(c_handle(), rows, bytes, time.count(), e))

    answer<sql_rows> run() const
    {
        return run_unless_wrong<sql_rows>([&](auto out, auto e) { return syncstore_sql_run(c_handle(), out, e); });
    }

private:
    syncstore_status tell_bound(std::optional<std::string_view> name, const sql_value& bound, syncstore_error** e)
    {
        const detail::maybe_name at(name);
        return std::visit(
            [&](const auto& value) -> syncstore_status {
                using T = std::decay_t<decltype(value)>;
                if constexpr (std::is_same_v<T, std::int64_t>) return syncstore_sql_bind_integer(c_handle(), at, value, e);
                else if constexpr (std::is_same_v<T, double>) return syncstore_sql_bind_real(c_handle(), at, value, e);
                else if constexpr (std::is_same_v<T, std::string_view>) return syncstore_sql_bind_text(c_handle(), at, value.data(), value.size(), e);
                else if constexpr (std::is_same_v<T, blob>) return syncstore_sql_bind_blob(c_handle(), at, value.data, value.size, e);
                else return syncstore_sql_bind_null(c_handle(), at, e);
            },
            bound);
    }
};

namespace detail {

/// Names with NULs at their ends, as an array.
class name_array {
public:
    explicit name_array(const std::vector<std::string_view>& names)
    {
        for (const std::string_view name : names) texts_.emplace_back(name);
        for (const std::string& text : texts_) at_.push_back(text.find('\0') == std::string::npos ? text.c_str() : bad_utf8);
    }
    name_array(const name_array&) = delete;
    name_array& operator=(const name_array&) = delete;

    const char* const* data() const noexcept { return at_.empty() ? nullptr : at_.data(); }
    std::size_t size() const noexcept { return at_.size(); }

private:
    std::vector<std::string> texts_;
    std::vector<const char*> at_;
};

} // namespace detail

/// Which collections, and which keys of them, are kept.
class filter : public detail::owned<syncstore_filter, syncstore_filter_free> {
public:
    using owned::owned;

    static answer<filter> everything()
    {
        return detail::call<filter>([](auto out, auto e) { return syncstore_filter_everything(out, e); });
    }
    static answer<filter> only(const std::vector<std::string_view>& collections)
    {
        const detail::name_array names(collections);
        return detail::call<filter>([&](auto out, auto e) { return syncstore_filter_only(names.data(), names.size(), out, e); });
    }
    static answer<filter> from_text(std::string_view text)
    {
        return detail::call<filter>([&](auto out, auto e) { return syncstore_filter_from_text(detail::name(text), out, e); });
    }

    answer<void> and_prefix(std::string_view collection, std::string_view prefix)
    {
        return detail::done(
            [&](auto e) { return syncstore_filter_and_prefix(c_handle(), detail::name(collection), detail::name(prefix), e); });
    }
    /// What both have.
    answer<filter> both(const filter& other) const
    {
        return detail::call<filter>([&](auto out, auto e) { return syncstore_filter_and(c_handle(), other.c_handle(), out, e); });
    }
    bool covers(const filter& other) const noexcept { return syncstore_filter_covers(c_handle(), other.c_handle()) == 1; }
    bool is_everything() const noexcept { return syncstore_filter_is_everything(c_handle()) == 1; }
    bool has(std::string_view collection, std::string_view key) const
    {
        return syncstore_filter_has(c_handle(), detail::name(collection), detail::name(key)) == 1;
    }
    /// Nothing of one that has everything.
    answer<std::optional<text>> to_text() const
    {
        return detail::find<text>([&](auto out, auto e) { return syncstore_filter_to_text(c_handle(), out, e); });
    }
    answer<std::optional<names>> collections() const
    {
        return detail::find<names>([&](auto out, auto e) { return syncstore_filter_collections(c_handle(), out, e); });
    }
    answer<names> prefixes(std::string_view collection) const
    {
        return detail::call<names>(
            [&](auto out, auto e) { return syncstore_filter_prefixes(c_handle(), detail::name(collection), out, e); });
    }
};

/// What a store keeps.
struct kept {
    filter keep;
    /// What of that is here; the same once a sync has come to its end.
    filter here;
};

enum class pending_state : std::int32_t {
    queued = SYNCSTORE_PENDING_QUEUED,
    in_flight = SYNCSTORE_PENDING_IN_FLIGHT,
    accepted = SYNCSTORE_PENDING_ACCEPTED,
    rejected = SYNCSTORE_PENDING_REJECTED,
    awaiting_approval = SYNCSTORE_PENDING_AWAITING_APPROVAL,
    staged = SYNCSTORE_PENDING_STAGED
};

/// An operation that the server has not confirmed; its texts belong to the list.
struct pending_op {
    ref op;
    std::string_view collection;
    std::string_view key;
    op_kind kind;
    syncstore::resource resource;
    std::optional<std::string_view> resource_name;
    std::optional<std::string_view> payload;
    std::optional<std::uint64_t> base;
    std::optional<ref> batch;
    pending_state state;
    bool applies;
};

/// The outbox, in order.
class pending_ops : public detail::owned<syncstore_pending_ops, syncstore_pending_ops_free>, public detail::listed<pending_ops> {
public:
    using owned::owned;

    std::size_t size() const noexcept { return syncstore_pending_ops_count(c_handle()); }
    pending_op operator[](std::size_t place) const
    {
        ref op;
        syncstore_pending_ops_ref(c_handle(), place, &op);
        std::size_t len = 0;
        const char* payload = syncstore_pending_ops_payload(c_handle(), place, &len);
        return {
            op,
            detail::or_empty(syncstore_pending_ops_collection(c_handle(), place)),
            detail::or_empty(syncstore_pending_ops_key(c_handle(), place)),
            static_cast<op_kind>(syncstore_pending_ops_kind(c_handle(), place)),
            static_cast<syncstore::resource>(syncstore_pending_ops_resource(c_handle(), place)),
            detail::maybe(syncstore_pending_ops_resource_name(c_handle(), place)),
            payload == nullptr ? std::nullopt : std::optional<std::string_view>(std::string_view(payload, len)),
            detail::getter<std::uint64_t>([&](auto out) { return syncstore_pending_ops_base(c_handle(), place, out); }),
            detail::getter<ref>([&](auto out) { return syncstore_pending_ops_batch(c_handle(), place, out); }),
            static_cast<pending_state>(syncstore_pending_ops_state(c_handle(), place)),
            syncstore_pending_ops_applies(c_handle(), place) == 1};
    }
};

/// What store::check() found.
struct checked {
    bool is_ok;
    /// One line of JSON.
    text report;
};

/// The size of the file and its log, in bytes.
struct compacted {
    std::uint64_t bytes_before;
    std::uint64_t bytes_after;
};

// ---- Syncing --------------------------------------------------------------------------------------------------------------------

/// Ends calls that are under way on other threads; for good.
class cancellation : public detail::owned<syncstore_cancel, syncstore_cancel_free> {
public:
    cancellation() : owned(syncstore_cancel_new()) {}

    void cancel() noexcept { syncstore_cancel_cancel(c_handle()); }
    bool is_cancelled() const noexcept { return syncstore_cancel_is_cancelled(c_handle()) == 1; }
};

/// What a source of credentials fills in, while its callback runs.
class credential : public detail::borrowed<syncstore_credential> {
public:
    using borrowed::borrowed;

    answer<void> bearer(std::string_view token)
    {
        return detail::done([&](auto e) { return syncstore_credential_bearer(c_handle(), detail::name(token), e); });
    }
    answer<void> hmac(std::string_view key, std::string_view user, std::string_view secret)
    {
        return detail::done([&](auto e) {
            return syncstore_credential_hmac(c_handle(), detail::name(key), detail::name(user), detail::name(secret), e);
        });
    }
    answer<void> none()
    {
        return detail::done([&](auto e) { return syncstore_credential_none(c_handle(), e); });
    }
    answer<void> fail(std::string_view message)
    {
        return detail::done([&](auto e) { return syncstore_credential_fail(c_handle(), detail::name(message), e); });
    }
};

/// A source of credentials, for any number of wires.
class credentials : public detail::owned<syncstore_credentials, syncstore_credentials_free> {
public:
    using owned::owned;

    /// callback(bool refresh, syncstore::credential credential). What leaves it is a failure to get one.
    template <class F>
    static answer<credentials> from(F callback)
    {
        const syncstore_credential_callback asked = [](void* user_data, std::int32_t refresh, syncstore_credential* raw) {
            if (!detail::kept_in([&] { (*static_cast<F*>(user_data))(refresh == 1, credential(raw)); })) {
                syncstore_credential_fail(raw, "the source of credentials threw an exception", nullptr);
            }
        };
        F* owned = new F(std::move(callback));
        return detail::call<credentials>(
            [&](auto out, auto e) { return syncstore_credentials_new(asked, owned, detail::destroy<F>, out, e); });
    }
};

enum class format : std::int32_t {
    json = SYNCSTORE_FORMAT_JSON,
    message_pack = SYNCSTORE_FORMAT_MESSAGE_PACK,
    protobuf = SYNCSTORE_FORMAT_PROTOBUF
};

enum class compression : std::int32_t {
    automatic = SYNCSTORE_COMPRESSION_AUTO,
    on = SYNCSTORE_COMPRESSION_ON,
    off = SYNCSTORE_COMPRESSION_OFF
};

/// How an HTTP wire connects. As it is made, all of it is the default; so is whatever is left empty or 0.
struct http_options {
    syncstore::format format = syncstore::format::json;
    syncstore::compression compression = syncstore::compression::automatic;
    std::optional<std::string> bearer_token;
    std::optional<std::string> hmac_key;
    std::optional<std::string> hmac_user;
    std::optional<std::string> hmac_secret;
    /// Has to be there until the wire is made.
    const syncstore::credentials* credentials = nullptr;
    std::optional<std::string> ca_file;
    std::optional<std::string> proxy;
    /// "": none is sent.
    std::optional<std::string> user_agent;
    std::vector<std::pair<std::string, std::string>> headers;
    std::uint64_t compress_above = 0;
    std::uint64_t response_limit = 0;
    std::uint64_t response_wire_limit = 0;
    std::optional<milliseconds> connect_timeout;
    std::optional<milliseconds> call_timeout;

    /// The same for C, good as long as this and `names`, which takes what headers points to, are not changed.
    syncstore_http_options c_options(std::vector<const char*>& names) const
    {
        syncstore_http_options c = SYNCSTORE_HTTP_OPTIONS_INIT;
        c.format = static_cast<std::int32_t>(format);
        c.compression = static_cast<std::int32_t>(compression);
        c.bearer_token = detail::text_or_null(bearer_token);
        c.hmac_key = detail::text_or_null(hmac_key);
        c.hmac_user = detail::text_or_null(hmac_user);
        c.hmac_secret = detail::text_or_null(hmac_secret);
        c.credentials = credentials == nullptr ? nullptr : credentials->c_handle();
        c.ca_file = detail::text_or_null(ca_file);
        c.proxy = detail::text_or_null(proxy);
        c.user_agent = detail::text_or_null(user_agent);
        if (!headers.empty()) {
            names.clear();
            for (const auto& header : headers) {
                for (const std::string* text : {&header.first, &header.second}) {
                    names.push_back(text->find('\0') == std::string::npos ? text->c_str() : detail::bad_utf8);
                }
            }
            names.push_back(nullptr);
            c.headers = names.data();
        }
        c.compress_above = compress_above;
        c.response_limit = response_limit;
        c.response_wire_limit = response_wire_limit;
        c.connect_timeout_ms = detail::as_ms(connect_timeout);
        c.call_timeout_ms = detail::as_ms(call_timeout);
        return c;
    }
};

/// One call over a wire of the host's own; good until the callback that got it comes back.
class wire_call : public detail::borrowed<syncstore_wire_call> {
public:
    using borrowed::borrowed;

    std::string_view request() const noexcept { return syncstore_wire_call_request(c_handle()); }
    std::string_view target() const noexcept { return syncstore_wire_call_target(c_handle()); }
    std::optional<std::string_view> client() const { return detail::maybe(syncstore_wire_call_client(c_handle())); }
    std::optional<std::string_view> cursor() const { return detail::maybe(syncstore_wire_call_cursor(c_handle())); }
    std::optional<std::string_view> page() const { return detail::maybe(syncstore_wire_call_page(c_handle())); }
    std::uint32_t limit() const noexcept { return syncstore_wire_call_limit(c_handle()); }
    milliseconds wait() const noexcept { return milliseconds(syncstore_wire_call_wait_ms(c_handle())); }
    std::size_t op_count() const noexcept { return syncstore_wire_call_op_count(c_handle()); }
    std::optional<std::string_view> op_member(std::size_t place, std::string_view member) const
    {
        return detail::maybe(syncstore_wire_call_op_member(c_handle(), place, detail::name(member)));
    }
    bool is_cancelled() const noexcept { return syncstore_wire_call_is_cancelled(c_handle()) == 1; }

    /// Answers with the protocol's own answer.
    syncstore::answer<void> answer(std::string_view json)
    {
        return detail::done([&](auto e) { return syncstore_wire_call_answer(c_handle(), json.data(), json.size(), e); });
    }
    /// Answers with an HTTP status other than 200.
    syncstore::answer<void>
    refuse(std::int32_t http_status, std::string_view problem = {}, std::optional<milliseconds> retry_after = std::nullopt)
    {
        return detail::done([&](auto e) {
            return syncstore_wire_call_refuse(
                c_handle(), http_status, problem.data(), problem.size(), retry_after ? retry_after->count() : -1, e);
        });
    }
    /// Answers that the call failed, such as with SYNCSTORE_UNREACHABLE.
    syncstore::answer<void>
    fail(syncstore_status status, std::string_view message = {}, std::optional<milliseconds> retry_after = std::nullopt)
    {
        return detail::done([&](auto e) {
            return syncstore_wire_call_fail(
                c_handle(), status, retry_after ? retry_after->count() : -1, detail::name(message), e);
        });
    }
};

namespace detail {

template <class H, class = void>
struct cancels : std::false_type {};

template <class H>
struct cancels<H, std::void_t<decltype(std::declval<H&>().cancel(std::declval<wire_call>()))>> : std::true_type {};

/// What a callback of a wire does with an exception: the call fails as one that was answered wrongly.
template <class F>
void answered(syncstore_wire_call* raw, F&& run) noexcept
{
    if (!kept_in(std::forward<F>(run))) {
        syncstore_wire_call_fail(raw, SYNCSTORE_PROTOCOL, -1, "the wire threw an exception", nullptr);
    }
}

} // namespace detail

/// A connection to one database of one server.
class wire : public detail::owned<syncstore_wire, syncstore_wire_free> {
public:
    using owned::owned;

    static answer<wire> http(std::string_view url, std::string_view database, const http_options& options = {})
    {
        std::vector<const char*> names;
        const syncstore_http_options c = options.c_options(names);
        return detail::call<wire>(
            [&](auto out, auto e) { return syncstore_wire_http(detail::name(url), detail::name(database), &c, out, e); });
    }

    /// A wire of the host's own: an object with info, push, pull and checkpoint, and perhaps cancel, each of which takes a syncstore::wire_call. Several threads
    /// may call it at a time. An exception that leaves one is SYNCSTORE_PROTOCOL, and tried again.
    template <class H>
    static answer<wire> custom(H host)
    {
        syncstore_wire_callbacks callbacks = SYNCSTORE_WIRE_CALLBACKS_INIT;
        callbacks.destroy = detail::destroy<H>;
        callbacks.info = [](void* at, syncstore_wire_call* raw) {
            detail::answered(raw, [&] { static_cast<H*>(at)->info(wire_call(raw)); });
        };
        callbacks.push = [](void* at, syncstore_wire_call* raw) {
            detail::answered(raw, [&] { static_cast<H*>(at)->push(wire_call(raw)); });
        };
        callbacks.pull = [](void* at, syncstore_wire_call* raw) {
            detail::answered(raw, [&] { static_cast<H*>(at)->pull(wire_call(raw)); });
        };
        callbacks.checkpoint = [](void* at, syncstore_wire_call* raw) {
            detail::answered(raw, [&] { static_cast<H*>(at)->checkpoint(wire_call(raw)); });
        };
        if constexpr (detail::cancels<H>::value) {
            callbacks.cancel = [](void* at, syncstore_wire_call* raw) {
                detail::kept_in([&] { static_cast<H*>(at)->cancel(wire_call(raw)); });
            };
        }
        callbacks.user_data = new H(std::move(host));
        return detail::call<wire>([&](auto out, auto e) { return syncstore_wire_custom(&callbacks, out, e); });
    }

    answer<syncstore_traffic> traffic() const
    {
        return detail::call<syncstore_traffic>([&](auto out, auto e) { return syncstore_wire_traffic(c_handle(), out, e); });
    }
    /// What the database takes, as JSON text.
    answer<text> info() const
    {
        return detail::call<text>([&](auto out, auto e) { return syncstore_wire_info(c_handle(), out, e); });
    }
};

/// How a store syncs in the background. As it is made, all of it is the default.
struct sync_policy {
    std::optional<milliseconds> debounce;
    std::optional<milliseconds> longest_debounce;
    std::optional<milliseconds> poll;
    std::optional<milliseconds> pull_every;
    std::optional<milliseconds> first_wait;
    std::optional<milliseconds> longest_wait;
    std::optional<milliseconds> backstop;
    std::optional<milliseconds> look_every;

    syncstore_sync_policy c_policy() const noexcept
    {
        syncstore_sync_policy c = SYNCSTORE_SYNC_POLICY_INIT;
        c.debounce_ms = detail::as_ms(debounce);
        c.longest_debounce_ms = detail::as_ms(longest_debounce);
        c.poll_ms = detail::as_ms(poll);
        c.pull_every_ms = detail::as_ms(pull_every);
        c.first_wait_ms = detail::as_ms(first_wait);
        c.longest_wait_ms = detail::as_ms(longest_wait);
        c.backstop_ms = detail::as_ms(backstop);
        c.look_every_ms = detail::as_ms(look_every);
        return c;
    }
};

/// What a background sync is at. A later library may know others.
enum class sync_state : std::int32_t {
    stopped = SYNCSTORE_SYNC_STOPPED,
    idle = SYNCSTORE_SYNC_IDLE,
    pushing = SYNCSTORE_SYNC_PUSHING,
    pulling = SYNCSTORE_SYNC_PULLING,
    bootstrapping = SYNCSTORE_SYNC_BOOTSTRAPPING,
    offline = SYNCSTORE_SYNC_OFFLINE,
    elsewhere = SYNCSTORE_SYNC_ELSEWHERE,
    paused = SYNCSTORE_SYNC_PAUSED,
    needs_credential = SYNCSTORE_SYNC_NEEDS_CREDENTIAL,
    failed = SYNCSTORE_SYNC_FAILED
};

namespace detail {

template <class Self>
class sync_status_getters {
public:
    sync_state state() const noexcept { return static_cast<sync_state>(syncstore_sync_status_state(raw())); }
    /// From when the status was asked for; nothing: it is at it, waits for news, or is stopped or paused.
    std::optional<milliseconds> next_try() const noexcept
    {
        const std::int64_t wait = syncstore_sync_status_next_try_ms(raw());
        return wait < 0 ? std::nullopt : std::optional<milliseconds>(wait);
    }
    std::uint64_t loaded() const noexcept { return syncstore_sync_status_loaded(raw()); }
    std::uint64_t total() const noexcept { return syncstore_sync_status_total(raw()); }
    /// The last failure, while it lasts.
    std::optional<std::string_view> error() const { return maybe(syncstore_sync_status_error(raw())); }

private:
    const syncstore_sync_status* raw() const noexcept { return static_cast<const Self*>(this)->c_handle(); }
};

/// How far something has come, for a callback of the host's.
template <class P>
struct progress {
    P* callback;
    std::exception_ptr thrown;

    static void tell(void* user_data, std::uint64_t loaded, std::uint64_t total)
    {
        auto* told = static_cast<progress*>(user_data);
        if (told->thrown) return;
        kept_in([&] { (*told->callback)(loaded, total); }, &told->thrown);
    }

    /// The same, where the callback may end it: 0 goes on.
    static std::int32_t ask(void* user_data, std::uint64_t done, std::uint64_t total)
    {
        auto* told = static_cast<progress*>(user_data);
        bool on = true;
        const bool kept = kept_in(
            [&] {
                if constexpr (std::is_convertible_v<std::invoke_result_t<P&, std::uint64_t, std::uint64_t>, bool>) {
                    on = (*told->callback)(done, total);
                } else {
                    (*told->callback)(done, total);
                }
            },
            &told->thrown);
        return kept && on ? 0 : 1;
    }
};

struct no_progress {
    void operator()(std::uint64_t, std::uint64_t) const noexcept {}
};

} // namespace detail

class sync_status : public detail::owned<syncstore_sync_status, syncstore_sync_status_free>,
                    public detail::sync_status_getters<sync_status> {
public:
    using owned::owned;
};

// ---- Rejections -------------------------------------------------------------------------------------------------------------------

/// A list of refs.
class refs : public detail::owned<syncstore_refs, syncstore_refs_free>, public detail::listed<refs> {
public:
    using owned::owned;

    std::size_t size() const noexcept { return syncstore_refs_count(c_handle()); }
    ref operator[](std::size_t place) const noexcept
    {
        ref op;
        syncstore_refs_at(c_handle(), place, &op);
        return op;
    }
};

/// A rejected operation; it belongs to its list.
class rejected_op : public detail::borrowed<const syncstore_rejected_op> {
public:
    using borrowed::borrowed;

    ref op() const noexcept
    {
        ref op;
        syncstore_rejected_op_ref(c_handle(), &op);
        return op;
    }
    std::string_view collection() const noexcept { return detail::or_empty(syncstore_rejected_op_collection(c_handle())); }
    std::string_view key() const noexcept { return detail::or_empty(syncstore_rejected_op_key(c_handle())); }
    syncstore::resource resource() const noexcept { return static_cast<syncstore::resource>(syncstore_rejected_op_resource(c_handle())); }
    std::optional<std::string_view> resource_name() const { return detail::maybe(syncstore_rejected_op_resource_name(c_handle())); }
    op_kind kind() const noexcept { return static_cast<op_kind>(syncstore_rejected_op_kind(c_handle())); }
    std::optional<std::string_view> payload() const { return detail::maybe(syncstore_rejected_op_payload(c_handle())); }
    std::optional<std::uint64_t> base() const noexcept
    {
        return detail::getter<std::uint64_t>([&](auto out) { return syncstore_rejected_op_base(c_handle(), out); });
    }
    std::optional<ref> batch() const noexcept
    {
        return detail::getter<ref>([&](auto out) { return syncstore_rejected_op_batch(c_handle(), out); });
    }
    /// What it was to be with the operation.
    std::optional<std::string_view> meant() const { return detail::maybe(syncstore_rejected_op_meant(c_handle())); }
    /// What the server has there, as far as this replica has pulled.
    std::optional<std::string_view> present() const { return detail::maybe(syncstore_rejected_op_present(c_handle())); }
    std::string_view code() const noexcept { return detail::or_empty(syncstore_rejected_op_code(c_handle())); }
    std::string_view message() const noexcept { return detail::or_empty(syncstore_rejected_op_message(c_handle())); }
    std::optional<std::string_view> detail() const { return syncstore::detail::maybe(syncstore_rejected_op_detail(c_handle())); }
    std::uint64_t seq() const noexcept { return syncstore_rejected_op_seq(c_handle()); }
    /// In milliseconds since 1970.
    std::uint64_t at() const noexcept { return syncstore_rejected_op_at(c_handle()); }
};

class rejected_list : public detail::owned<syncstore_rejected_list, syncstore_rejected_list_free>, public detail::listed<rejected_list> {
public:
    using owned::owned;

    std::size_t size() const noexcept { return syncstore_rejected_list_count(c_handle()); }
    rejected_op operator[](std::size_t place) const noexcept { return rejected_op(syncstore_rejected_list_at(c_handle(), place)); }
};

/// What a program should learn of once; it belongs to its list.
using notice = std::variant<rejected_op, conflict>;

class notices : public detail::owned<syncstore_notices, syncstore_notices_free>, public detail::listed<notices> {
public:
    using owned::owned;

    std::size_t size() const noexcept { return syncstore_notices_count(c_handle()); }
    notice operator[](std::size_t place) const noexcept
    {
        const syncstore_rejected_op* rejected = syncstore_notices_rejected(c_handle(), place);
        if (rejected != nullptr) return notice(rejected_op(rejected));
        return notice(conflict(syncstore_notices_conflict(c_handle(), place)));
    }
};

// ---- Watching and events ----------------------------------------------------------------------------------------------------------

enum class change_kind : std::int32_t {
    set = SYNCSTORE_CHANGE_SET,
    deleted = SYNCSTORE_CHANGE_DELETED,
    revoked = SYNCSTORE_CHANGE_REVOKED,
    resources = SYNCSTORE_CHANGE_RESOURCES
};

enum class origin : std::int32_t { local = SYNCSTORE_ORIGIN_LOCAL, remote = SYNCSTORE_ORIGIN_REMOTE };

/// Why it is not known what changed: look at everything again.
enum class overflow : std::int32_t {
    none = SYNCSTORE_OVERFLOW_NONE,
    full = SYNCSTORE_OVERFLOW_FULL,
    missed = SYNCSTORE_OVERFLOW_MISSED,
    reloaded = SYNCSTORE_OVERFLOW_RELOADED,
    reindexed = SYNCSTORE_OVERFLOW_REINDEXED
};

/// One item that reads otherwise than before; it belongs to what it was asked of.
class change : public detail::borrowed<const syncstore_change> {
public:
    using borrowed::borrowed;

    std::string_view collection() const noexcept { return detail::or_empty(syncstore_change_collection(c_handle())); }
    std::string_view key() const noexcept { return detail::or_empty(syncstore_change_key(c_handle())); }
    change_kind kind() const noexcept { return static_cast<change_kind>(syncstore_change_kind_of(c_handle())); }
    syncstore::origin origin() const noexcept { return static_cast<syncstore::origin>(syncstore_change_origin(c_handle())); }
    std::optional<ref> op() const noexcept
    {
        return detail::getter<ref>([&](auto out) { return syncstore_change_ref(c_handle(), out); });
    }
};

class changes : public detail::owned<syncstore_changes, syncstore_changes_free>, public detail::listed<changes> {
public:
    using owned::owned;

    std::size_t size() const noexcept { return syncstore_changes_count(c_handle()); }
    syncstore::overflow overflow() const noexcept { return static_cast<syncstore::overflow>(syncstore_changes_overflow(c_handle())); }
    change operator[](std::size_t place) const noexcept { return change(syncstore_changes_at(c_handle(), place)); }
};

/// Which items to be told of; as it is made, all.
struct watch_options {
    std::optional<std::string> collection;
    std::optional<std::string> key;
    std::optional<std::string> index;
    std::optional<std::string> prefix;
    /// JSON text, as syncstore.h has it.
    std::optional<std::string> from;
    std::optional<std::string> to;
    std::uint64_t capacity = 0;

    syncstore_watch_options c_options() const noexcept
    {
        syncstore_watch_options c = SYNCSTORE_WATCH_OPTIONS_INIT;
        c.collection = detail::text_or_null(collection);
        c.key = detail::text_or_null(key);
        c.index = detail::text_or_null(index);
        c.prefix = detail::text_or_null(prefix);
        c.from = detail::text_or_null(from);
        c.to = detail::text_or_null(to);
        c.capacity = capacity;
        return c;
    }
};

namespace detail {

/// A wake without parameters; what leaves it is dropped.
template <class F>
void wake(void* user_data)
{
    kept_in([&] { (*static_cast<F*>(user_data))(); });
}

} // namespace detail

/// Collects what changes; ends when it is destroyed.
class watcher : public detail::owned<syncstore_watcher, syncstore_watcher_free> {
public:
    using owned::owned;

    answer<changes> take()
    {
        return detail::call<changes>([&](auto out, auto e) { return syncstore_watcher_take(c_handle(), out, e); });
    }
};

enum class log_level : std::int32_t {
    none = SYNCSTORE_LOG_NONE,
    error = SYNCSTORE_LOG_ERROR,
    warn = SYNCSTORE_LOG_WARN,
    info = SYNCSTORE_LOG_INFO,
    debug = SYNCSTORE_LOG_DEBUG
};

struct event_options {
    std::optional<syncstore::log_level> log_level;
    std::int64_t outcomes = 0;
    std::int64_t conflicts = 0;
    std::int64_t log_lines = 0;

    syncstore_event_options c_options() const noexcept
    {
        syncstore_event_options c = SYNCSTORE_EVENT_OPTIONS_INIT;
        c.log_level = log_level ? static_cast<std::int32_t>(*log_level) : 0;
        c.outcomes = outcomes;
        c.conflicts = conflicts;
        c.log_lines = log_lines;
        return c;
    }
};

/// What an event tells. A later library may know others: ignore them.
enum class event_kind : std::int32_t {
    changed = SYNCSTORE_EVENT_CHANGED,
    overflowed = SYNCSTORE_EVENT_OVERFLOWED,
    settled = SYNCSTORE_EVENT_SETTLED,
    conflict = SYNCSTORE_EVENT_CONFLICT,
    status = SYNCSTORE_EVENT_STATUS,
    log = SYNCSTORE_EVENT_LOG,
    missed = SYNCSTORE_EVENT_MISSED
};

enum class conflict_news : std::int32_t {
    begun = SYNCSTORE_CONFLICT_BEGUN,
    needs_deciding = SYNCSTORE_CONFLICT_NEEDS_DECIDING,
    ended = SYNCSTORE_CONFLICT_ENDED
};

enum class missed : std::int32_t {
    outcomes = SYNCSTORE_MISSED_OUTCOMES,
    outcomes_uncounted = SYNCSTORE_MISSED_OUTCOMES_UNCOUNTED,
    conflicts = SYNCSTORE_MISSED_CONFLICTS,
    log_lines = SYNCSTORE_MISSED_LOG_LINES
};

/// An outcome, and a status, that belong to an event.
class event_outcome : public detail::borrowed<const syncstore_outcome>, public detail::outcome_getters<event_outcome> {
public:
    using borrowed::borrowed;
};
class event_status : public detail::borrowed<const syncstore_sync_status>, public detail::sync_status_getters<event_status> {
public:
    using borrowed::borrowed;
};

/// Something that a store tells, until the callback that got it returns. A getter that does not go with its kind answers 0 or nothing.
class event : public detail::borrowed<const syncstore_event> {
public:
    using borrowed::borrowed;

    event_kind kind() const noexcept { return static_cast<event_kind>(syncstore_event_kind_of(c_handle())); }
    std::uint64_t subscription() const noexcept { return syncstore_event_subscription(c_handle()); }
    syncstore::change change() const noexcept { return syncstore::change(syncstore_event_change(c_handle())); }
    syncstore::overflow overflow() const noexcept { return static_cast<syncstore::overflow>(syncstore_event_overflow(c_handle())); }
    std::optional<ref> op() const noexcept
    {
        return detail::getter<ref>([&](auto out) { return syncstore_event_ref(c_handle(), out); });
    }
    event_outcome outcome() const noexcept { return event_outcome(syncstore_event_outcome(c_handle())); }
    std::uint64_t conflict_id() const noexcept { return syncstore_event_conflict_id(c_handle()); }
    syncstore::conflict_news conflict_news() const noexcept
    {
        return static_cast<syncstore::conflict_news>(syncstore_event_conflict_news(c_handle()));
    }
    ending conflict_ending() const noexcept { return static_cast<ending>(syncstore_event_conflict_ending(c_handle())); }
    std::string_view conflict_collection() const noexcept { return detail::or_empty(syncstore_event_conflict_collection(c_handle())); }
    std::string_view conflict_key() const noexcept { return detail::or_empty(syncstore_event_conflict_key(c_handle())); }
    resource conflict_resource() const noexcept { return static_cast<resource>(syncstore_event_conflict_resource(c_handle())); }
    std::optional<std::string_view> conflict_resource_name() const
    {
        return detail::maybe(syncstore_event_conflict_resource_name(c_handle()));
    }
    event_status status() const noexcept { return event_status(syncstore_event_status(c_handle())); }
    syncstore::log_level log_level() const noexcept { return static_cast<syncstore::log_level>(syncstore_event_log_level(c_handle())); }
    std::string_view log_line() const noexcept { return detail::or_empty(syncstore_event_log_line(c_handle())); }
    syncstore::missed missed() const noexcept { return static_cast<syncstore::missed>(syncstore_event_missed(c_handle())); }
    std::uint64_t missed_count() const noexcept { return syncstore_event_missed_count(c_handle()); }
};

/// What a pump did.
struct pumped {
    std::size_t events = 0;
    /// There are more, for which no wake comes.
    bool more = false;
};

/// Listens to a store, until it is destroyed.
class events : public detail::owned<syncstore_events, syncstore_events_free> {
public:
    using owned::owned;

    /// Answers the subscription's number.
    answer<std::uint64_t> subscribe(const watch_options& options = {})
    {
        const syncstore_watch_options c = options.c_options();
        return detail::call<std::uint64_t>([&](auto out, auto e) { return syncstore_events_subscribe(c_handle(), &c, out, e); });
    }
    /// Answers whether there was one of that number.
    answer<bool> unsubscribe(std::uint64_t subscription)
    {
        return detail::whether([&](auto e) { return syncstore_events_unsubscribe(c_handle(), subscription, e); });
    }
    /// Hands what there is to callback(syncstore::event). What the callback throws is thrown again here, once at most so many events were handed out; the rest of
    /// these are lost to it. Without a budget time ends nothing.
    template <class F>
    answer<pumped> pump(F&& callback, std::size_t max = 1000, std::optional<milliseconds> budget = std::nullopt)
    {
        struct handing {
            std::remove_reference_t<F>* callback;
            std::exception_ptr thrown;
        };
        handing handing{&callback, nullptr};
        const syncstore_event_callback handed = [](void* user_data, const syncstore_event* raw) {
            auto* to = static_cast<struct handing*>(user_data);
            if (to->thrown) return;
            detail::kept_in([&] { (*to->callback)(event(raw)); }, &to->thrown);
        };
        pumped did;
        std::int32_t more = 0;
        syncstore_error* raised = nullptr;
        const syncstore_status status =
            syncstore_events_pump(c_handle(), max, budget ? budget->count() : -1, handed, &handing, &did.events, &more, &raised);
        did.more = more == 1;
        std::optional<error> wrong;
        if (status < 0) wrong.emplace(status, raised);
        detail::let_out(handing.thrown);
        if (wrong) return detail::failed<pumped>(std::move(*wrong));
        return answer<pumped>(did);
    }
    /// Answers whether there is something to pump. Waits for at most so long; nothing: without an end.
    answer<bool> wait(std::optional<milliseconds> at_most = std::nullopt)
    {
        return detail::whether([&](auto e) { return syncstore_events_wait(c_handle(), at_most ? at_most->count() : -1, e); });
    }
    /// The caller closes it.
    answer<std::int32_t> descriptor()
    {
        return detail::call<std::int32_t>([&](auto out, auto e) { return syncstore_events_descriptor(c_handle(), out, e); });
    }
};

// ---- The store ------------------------------------------------------------------------------------------------------------------

/// A store: one file. Closed when it is destroyed; any number of threads may use it at a time.
class store : public detail::owned<syncstore_store, syncstore_free> {
public:
    using owned::owned;

    static answer<store> open(std::string_view path, const options& options = {})
    {
        const syncstore_options c = options.c_options();
        return detail::call<store>([&](auto out, auto e) { return syncstore_open(detail::name(path), &c, out, e); });
    }

    answer<stopped> close()
    {
        return how([&](auto out, auto e) { return syncstore_close(c_handle(), out, e); });
    }
    answer<text> client_id() const
    {
        return detail::call<text>([&](auto out, auto e) { return syncstore_client_id(c_handle(), out, e); });
    }

    // Items

    answer<ref> set(std::string_view collection, std::string_view key, std::string_view json)
    {
        return detail::call<ref>([&](auto out, auto e) {
            return syncstore_set(c_handle(), detail::name(collection), detail::name(key), json.data(), json.size(), out, e);
        });
    }
    answer<ref> patch(std::string_view collection, std::string_view key, std::string_view patch)
    {
        return detail::call<ref>([&](auto out, auto e) {
            return syncstore_patch(c_handle(), detail::name(collection), detail::name(key), patch.data(), patch.size(), out, e);
        });
    }
    /// `delete` is a keyword of C++.
    answer<ref> remove(std::string_view collection, std::string_view key)
    {
        return detail::call<ref>(
            [&](auto out, auto e) { return syncstore_delete(c_handle(), detail::name(collection), detail::name(key), out, e); });
    }
    /// Nothing where there is no such item.
    answer<std::optional<text>> get(std::string_view collection, std::string_view key) const
    {
        return detail::find<text>(
            [&](auto out, auto e) { return syncstore_get(c_handle(), detail::name(collection), detail::name(key), out, e); });
    }
    answer<names> collections() const
    {
        return detail::call<names>([&](auto out, auto e) { return syncstore_collections(c_handle(), out, e); });
    }

#ifdef SYNCSTORE_HAS_NLOHMANN
    template <class J, detail::only_json<J> = 0>
    answer<ref> set(std::string_view collection, std::string_view key, const J& value)
    {
        return set(collection, key, std::string_view(detail::dumped(value)));
    }
    template <class J, detail::only_json<J> = 0>
    answer<ref> patch(std::string_view collection, std::string_view key, const J& patch)
    {
        return this->patch(collection, key, std::string_view(detail::dumped(patch)));
    }
    answer<std::optional<nlohmann::json>> get_json(std::string_view collection, std::string_view key) const
    {
        using R = std::optional<nlohmann::json>;
        syncstore_text raw{};
        syncstore_error* raised = nullptr;
        const syncstore_status status =
            syncstore_get(c_handle(), detail::name(collection), detail::name(key), &raw, &raised);
        if (status < 0) return detail::failed<R>(error(status, raised));
        const text json(raw);
        if (status != SYNCSTORE_OK) return answer<R>(R());
        return answer<R>(R(std::in_place, json.json()));
    }
#endif

    // Lists and queries

    answer<rows> list(std::string_view collection, const list_options& options = {}) const
    {
        const syncstore_list_options c = options.c_options();
        return detail::call<rows>([&](auto out, auto e) { return syncstore_list(c_handle(), detail::name(collection), &c, out, e); });
    }
    syncstore::query query(std::string_view collection) const { return syncstore::query(c_handle(), collection); }
    syncstore::walk walk(std::string_view collection, std::string_view key) const { return syncstore::walk(c_handle(), collection, key); }
    answer<syncstore::batch> batch() const
    {
        return detail::call<syncstore::batch>([&](auto out, auto e) { return syncstore_batch_new(c_handle(), out, e); });
    }

    // Index entries, relations, tags

    answer<ref> set_index(std::string_view collection, std::string_view key, std::string_view index, std::string_view order)
    {
        return detail::call<ref>([&](auto out, auto e) {
            return syncstore_set_index(
                c_handle(), detail::name(collection), detail::name(key), detail::name(index), detail::name(order), out, e);
        });
    }
    answer<ref> remove_index(std::string_view collection, std::string_view key, std::string_view index)
    {
        return detail::call<ref>([&](auto out, auto e) {
            return syncstore_delete_index(c_handle(), detail::name(collection), detail::name(key), detail::name(index), out, e);
        });
    }
    answer<index_entries> indexes(std::string_view collection, std::string_view key) const
    {
        return detail::call<index_entries>(
            [&](auto out, auto e) { return syncstore_indexes(c_handle(), detail::name(collection), detail::name(key), out, e); });
    }
    answer<ref> set_relation(
        std::string_view collection,
        std::string_view key,
        std::string_view id,
        std::string_view predicate,
        std::string_view object_collection,
        std::string_view object_key)
    {
        return detail::call<ref>([&](auto out, auto e) {
            return syncstore_set_relation(
                c_handle(), detail::name(collection), detail::name(key), detail::name(id), detail::name(predicate),
                detail::name(object_collection), detail::name(object_key), out, e);
        });
    }
    answer<ref> remove_relation(std::string_view collection, std::string_view key, std::string_view id)
    {
        return detail::call<ref>([&](auto out, auto e) {
            return syncstore_delete_relation(c_handle(), detail::name(collection), detail::name(key), detail::name(id), out, e);
        });
    }
    answer<relation_list>
    relations(std::string_view collection, std::string_view key, std::optional<std::string_view> predicate = std::nullopt) const
    {
        return detail::call<relation_list>([&](auto out, auto e) {
            return syncstore_relations(
                c_handle(), detail::name(collection), detail::name(key), detail::maybe_name(predicate), out, e);
        });
    }
    answer<relation_list>
    relations_to(std::string_view collection, std::string_view key, std::optional<std::string_view> predicate = std::nullopt) const
    {
        return detail::call<relation_list>([&](auto out, auto e) {
            return syncstore_relations_to(
                c_handle(), detail::name(collection), detail::name(key), detail::maybe_name(predicate), out, e);
        });
    }
    answer<ref> add_tag(std::string_view collection, std::string_view key, std::string_view tag)
    {
        return detail::call<ref>([&](auto out, auto e) {
            return syncstore_add_tag(c_handle(), detail::name(collection), detail::name(key), detail::name(tag), out, e);
        });
    }
    answer<ref> remove_tag(std::string_view collection, std::string_view key, std::string_view tag)
    {
        return detail::call<ref>([&](auto out, auto e) {
            return syncstore_remove_tag(c_handle(), detail::name(collection), detail::name(key), detail::name(tag), out, e);
        });
    }
    answer<names> tags(std::string_view collection, std::string_view key) const
    {
        return detail::call<names>(
            [&](auto out, auto e) { return syncstore_tags(c_handle(), detail::name(collection), detail::name(key), out, e); });
    }

    // Outcomes

    answer<std::uint64_t> pending_count() const
    {
        return detail::call<std::uint64_t>([&](auto out, auto e) { return syncstore_pending_count(c_handle(), out, e); });
    }
    /// Nothing where this replica does not know the operation, or no longer.
    answer<std::optional<outcome>> outcome_of(const ref& op) const
    {
        return detail::find<outcome>([&](auto out, auto e) { return syncstore_outcome_of(c_handle(), &op, out, e); });
    }
    /// Waits until an operation is settled, for at most so long; nothing: without an end.
    answer<std::optional<outcome>> wait(const ref& op, std::optional<milliseconds> at_most = std::nullopt) const
    {
        return detail::find<outcome>(
            [&](auto out, auto e) { return syncstore_wait(c_handle(), &op, at_most ? at_most->count() : -1, out, e); });
    }
    answer<pending_ops> pending() const
    {
        return detail::call<pending_ops>([&](auto out, auto e) { return syncstore_pending(c_handle(), out, e); });
    }

    // Automatic indexes and searches. A build's `progress` is called with what is done and what there is in all; it may answer a bool, of which false ends
    // the build with SYNCSTORE_CANCELLED; what it throws ends the build too, and is thrown again.

    /// Answers whether build_index() has something to do.
    answer<bool> declare_index(std::string_view collection, std::string_view name, std::string_view pointer, bool dates = false)
    {
        return yes([&](auto out, auto e) {
            return syncstore_declare_index(
                c_handle(), detail::name(collection), detail::name(name), detail::name(pointer), dates ? 1 : 0, out, e);
        });
    }
    /// Answers whether there was one.
    answer<bool> drop_index(std::string_view collection, std::string_view name)
    {
        return yes(
            [&](auto out, auto e) { return syncstore_drop_index(c_handle(), detail::name(collection), detail::name(name), out, e); });
    }
    template <class P = detail::no_progress>
    answer<void> build_index(std::string_view collection, std::string_view name, P&& progress = P{})
    {
        return building(progress, [&](auto tell, auto told, auto e) {
            return syncstore_build_index(c_handle(), detail::name(collection), detail::name(name), tell, told, e);
        });
    }
    /// Answers whether build_search() has something to do.
    answer<bool>
    declare_search(std::string_view name, std::string_view collection, const std::vector<std::string_view>& fields)
    {
        const detail::name_array pointers(fields);
        return yes([&](auto out, auto e) {
            return syncstore_declare_search(
                c_handle(), detail::name(name), detail::name(collection), pointers.data(), pointers.size(), out, e);
        });
    }
    /// Answers whether there was one.
    answer<bool> drop_search(std::string_view name)
    {
        return yes([&](auto out, auto e) { return syncstore_drop_search(c_handle(), detail::name(name), out, e); });
    }
    template <class P = detail::no_progress>
    answer<void> build_search(std::string_view name, P&& progress = P{})
    {
        return building(progress, [&](auto tell, auto told, auto e) {
            return syncstore_build_search(c_handle(), detail::name(name), tell, told, e);
        });
    }
    answer<hits> search(
        std::string_view name,
        std::string_view text,
        search_mode mode = search_mode::words,
        const search_options& options = {}) const
    {
        const syncstore_search_options c = options.c_options();
        return detail::call<hits>([&](auto out, auto e) {
            return syncstore_search(
                c_handle(), detail::name(name), static_cast<std::int32_t>(mode), text.data(), text.size(), &c, out, e);
        });
    }
    syncstore::sql sql(std::string_view select) const { return syncstore::sql(c_handle(), select); }

    // What is kept, checking, compacting

    /// Answers whether it was another filter before.
    answer<bool> keep(const filter& filter)
    {
        return yes([&](auto out, auto e) { return syncstore_keep(c_handle(), filter.c_handle(), out, e); });
    }
    answer<syncstore::kept> kept() const
    {
        syncstore_filter* keep = nullptr;
        syncstore_filter* here = nullptr;
        syncstore_error* raised = nullptr;
        const syncstore_status status = syncstore_kept(c_handle(), &keep, &here, &raised);
        syncstore::kept both{filter(keep), filter(here)};
        if (status < 0) return detail::failed<syncstore::kept>(error(status, raised));
        return answer<syncstore::kept>(std::move(both));
    }
    answer<checked> check() const
    {
        std::int32_t is_ok = 0;
        syncstore_text report{};
        syncstore_error* raised = nullptr;
        const syncstore_status status = syncstore_check(c_handle(), &is_ok, &report, &raised);
        checked found{is_ok == 1, text(report)};
        if (status < 0) return detail::failed<checked>(error(status, raised));
        return answer<checked>(std::move(found));
    }
    answer<compacted> compact()
    {
        compacted bytes{0, 0};
        syncstore_error* raised = nullptr;
        const syncstore_status status = syncstore_compact(c_handle(), &bytes.bytes_before, &bytes.bytes_after, &raised);
        if (status < 0) return detail::failed<compacted>(error(status, raised));
        return answer<compacted>(bytes);
    }

    // Syncing on the calling thread. `progress` is called with what is loaded and what there is in all; what it throws is thrown again when the sync
    // has ended, and it is not called again.

    template <class P = detail::no_progress>
    answer<report> sync(const wire& wire, const cancellation* cancel = nullptr, P&& progress = P{})
    {
        return with_progress(progress, [&](auto tell, auto told, auto out, auto e) {
            return syncstore_sync(c_handle(), wire.c_handle(), raw_of(cancel), tell, told, out, e);
        });
    }
    answer<report> push(const wire& wire, const cancellation* cancel = nullptr)
    {
        return detail::call<report>(
            [&](auto out, auto e) { return syncstore_push(c_handle(), wire.c_handle(), raw_of(cancel), out, e); });
    }
    template <class P = detail::no_progress>
    answer<report> pull(const wire& wire, const cancellation* cancel = nullptr, P&& progress = P{})
    {
        return with_progress(progress, [&](auto tell, auto told, auto out, auto e) {
            return syncstore_pull(c_handle(), wire.c_handle(), raw_of(cancel), tell, told, out, e);
        });
    }

    /// Where the replica stands in the server's log; 0: nothing was read yet.
    answer<std::uint64_t> position() const
    {
        return detail::call<std::uint64_t>([&](auto out, auto e) { return syncstore_position(c_handle(), out, e); });
    }
    /// How many items of a checkpoint are loaded, and how many there are; nothing where none is on its way.
    answer<std::optional<std::pair<std::uint64_t, std::uint64_t>>> bootstrap_progress() const
    {
        using R = std::optional<std::pair<std::uint64_t, std::uint64_t>>;
        std::uint64_t loaded = 0;
        std::uint64_t total = 0;
        syncstore_error* raised = nullptr;
        const syncstore_status status = syncstore_bootstrap_progress(c_handle(), &loaded, &total, &raised);
        if (status < 0) return detail::failed<R>(error(status, raised));
        if (status != SYNCSTORE_OK) return answer<R>(R());
        return answer<R>(R(std::in_place, loaded, total));
    }

    // Syncing in the background

    answer<void> start(const wire& wire, const sync_policy& policy = {})
    {
        const syncstore_sync_policy c = policy.c_policy();
        return detail::done([&](auto e) { return syncstore_start(c_handle(), wire.c_handle(), &c, e); });
    }
    answer<stopped> stop(milliseconds deadline)
    {
        return how([&](auto out, auto e) { return syncstore_stop(c_handle(), deadline.count(), out, e); });
    }
    answer<void> pause()
    {
        return detail::done([&](auto e) { return syncstore_pause(c_handle(), e); });
    }
    answer<void> resume()
    {
        return detail::done([&](auto e) { return syncstore_resume(c_handle(), e); });
    }
    answer<void> sync_now()
    {
        return detail::done([&](auto e) { return syncstore_sync_now(c_handle(), e); });
    }
    answer<void> credential_changed()
    {
        return detail::done([&](auto e) { return syncstore_credential_changed(c_handle(), e); });
    }
    answer<syncstore::sync_status> sync_status() const
    {
        return detail::call<syncstore::sync_status>([&](auto out, auto e) { return syncstore_sync_status_of(c_handle(), out, e); });
    }

    // Watching and events. A wake, which has no parameters and may be left out, is called on whichever thread tells; what it throws is dropped.

    answer<watcher> watch(const watch_options& options = {})
    {
        const syncstore_watch_options c = options.c_options();
        return detail::call<watcher>([&](auto out, auto e) { return syncstore_watch(c_handle(), &c, nullptr, nullptr, nullptr, out, e); });
    }
    template <class F>
    answer<watcher> watch(const watch_options& options, F wake)
    {
        const syncstore_watch_options c = options.c_options();
        F* owned = new F(std::move(wake));
        return detail::call<watcher>(
            [&](auto out, auto e) { return syncstore_watch(c_handle(), &c, detail::wake<F>, owned, detail::destroy<F>, out, e); });
    }
    answer<syncstore::events> events(const event_options& options = {})
    {
        const syncstore_event_options c = options.c_options();
        return detail::call<syncstore::events>(
            [&](auto out, auto e) { return syncstore_events_new(c_handle(), &c, nullptr, nullptr, nullptr, out, e); });
    }
    template <class F>
    answer<syncstore::events> events(const event_options& options, F wake)
    {
        const syncstore_event_options c = options.c_options();
        F* owned = new F(std::move(wake));
        return detail::call<syncstore::events>(
            [&](auto out, auto e) { return syncstore_events_new(c_handle(), &c, detail::wake<F>, owned, detail::destroy<F>, out, e); });
    }

    // Conflicts and rejections

    answer<conflict_list> conflicts() const
    {
        return detail::call<conflict_list>([&](auto out, auto e) { return syncstore_conflicts(c_handle(), out, e); });
    }
    answer<conflict_list> ended_conflicts() const
    {
        return detail::call<conflict_list>([&](auto out, auto e) { return syncstore_ended_conflicts(c_handle(), out, e); });
    }
    /// `json` is the value of resolution::merged. Answers the ref of the operation that was written, of zeros where none was needed.
    answer<ref> resolve(const conflict& conflict, resolution resolution, std::string_view json = {})
    {
        return detail::call<ref>([&](auto out, auto e) {
            return syncstore_resolve(c_handle(), conflict.c_handle(), static_cast<std::int32_t>(resolution), json.data(), json.size(), out, e);
        });
    }
    answer<rejected_list> rejections() const
    {
        return detail::call<rejected_list>([&](auto out, auto e) { return syncstore_rejections(c_handle(), out, e); });
    }
    /// Makes a rejected operation again, as it was; answers the new one's ref, like the edits.
    answer<ref> retry(const ref& op)
    {
        return detail::call<ref>([&](auto out, auto e) { return syncstore_retry(c_handle(), &op, out, e); });
    }
    answer<ref> edit_set(const ref& op, std::string_view json)
    {
        return detail::call<ref>([&](auto out, auto e) { return syncstore_edit_set(c_handle(), &op, json.data(), json.size(), out, e); });
    }
    answer<ref> edit_patch(const ref& op, std::string_view patch)
    {
        return detail::call<ref>(
            [&](auto out, auto e) { return syncstore_edit_patch(c_handle(), &op, patch.data(), patch.size(), out, e); });
    }
#ifdef SYNCSTORE_HAS_NLOHMANN
    template <class J, detail::only_json<J> = 0>
    answer<ref> resolve(const conflict& conflict, resolution resolution, const J& value)
    {
        return resolve(conflict, resolution, std::string_view(detail::dumped(value)));
    }
    template <class J, detail::only_json<J> = 0>
    answer<ref> edit_set(const ref& op, const J& value)
    {
        return edit_set(op, std::string_view(detail::dumped(value)));
    }
    template <class J, detail::only_json<J> = 0>
    answer<ref> edit_patch(const ref& op, const J& patch)
    {
        return edit_patch(op, std::string_view(detail::dumped(patch)));
    }
#endif
    answer<ref> edit_remove(const ref& op)
    {
        return detail::call<ref>([&](auto out, auto e) { return syncstore_edit_delete(c_handle(), &op, out, e); });
    }
    answer<ref> edit_order(const ref& op, std::string_view order)
    {
        return detail::call<ref>([&](auto out, auto e) { return syncstore_edit_order(c_handle(), &op, detail::name(order), out, e); });
    }
    answer<ref>
    edit_relation(const ref& op, std::string_view predicate, std::string_view object_collection, std::string_view object_key)
    {
        return detail::call<ref>([&](auto out, auto e) {
            return syncstore_edit_relation(
                c_handle(), &op, detail::name(predicate), detail::name(object_collection), detail::name(object_key), out, e);
        });
    }
    /// Answers whether it waited to be dealt with.
    answer<bool> discard(const ref& op)
    {
        return detail::whether([&](auto e) { return syncstore_discard(c_handle(), &op, e); });
    }
    answer<std::optional<ref>> retry_of(const ref& op) const
    {
        return detail::find<ref>([&](auto out, auto e) { return syncstore_retry_of(c_handle(), &op, out, e); });
    }
    answer<refs> depends_on(const ref& op) const
    {
        return detail::call<refs>([&](auto out, auto e) { return syncstore_depends_on(c_handle(), &op, out, e); });
    }
    answer<syncstore::notices> take_notices(std::size_t most = 1000)
    {
        return detail::call<syncstore::notices>([&](auto out, auto e) { return syncstore_take_notices(c_handle(), most, out, e); });
    }

private:
    static const syncstore_cancel* raw_of(const cancellation* cancel) noexcept
    {
        return cancel == nullptr ? nullptr : cancel->c_handle();
    }

    template <class F>
    static answer<stopped> how(F&& call)
    {
        syncstore_stopped how = 0;
        syncstore_error* raised = nullptr;
        const syncstore_status status = call(&how, &raised);
        if (status < 0) return detail::failed<stopped>(error(status, raised));
        return answer<stopped>(static_cast<stopped>(how));
    }

    template <class F>
    static answer<bool> yes(F&& call)
    {
        std::int32_t yes = 0;
        syncstore_error* raised = nullptr;
        const syncstore_status status = call(&yes, &raised);
        if (status < 0) return detail::failed<bool>(error(status, raised));
        return answer<bool>(yes == 1);
    }

    template <class P, class F>
    static answer<void> building(P& callback, F&& call)
    {
        using progress = detail::progress<std::remove_reference_t<P>>;
        progress told{&callback, nullptr};
        syncstore_error* raised = nullptr;
        const syncstore_status status = call(&progress::ask, &told, &raised);
        std::optional<error> wrong;
        if (status < 0) wrong.emplace(status, raised);
        detail::let_out(told.thrown);
        if (wrong) return detail::failed<void>(std::move(*wrong));
        return answer<void>();
    }

    template <class P, class F>
    static answer<report> with_progress(P& callback, F&& call)
    {
        using progress = detail::progress<std::remove_reference_t<P>>;
        progress told{&callback, nullptr};
        syncstore_report* raw = nullptr;
        syncstore_error* raised = nullptr;
        const syncstore_status status = call(&progress::tell, &told, &raw, &raised);
        report did(raw);
        std::optional<error> wrong;
        if (status < 0) wrong.emplace(status, raised);
        detail::let_out(told.thrown);
        if (wrong) return detail::failed<report>(std::move(*wrong));
        return answer<report>(std::move(did));
    }
};

// ---- Data of a server without a replica -------------------------------------------------------------------------------------------

/// An item as a server had it.
class remote_item : public detail::owned<syncstore_remote_item, syncstore_remote_item_free> {
public:
    using owned::owned;

    std::uint64_t rev() const noexcept { return syncstore_remote_item_rev(c_handle()); }
    std::string_view value() const noexcept { return detail::or_empty(syncstore_remote_item_value(c_handle())); }
    /// With key, rev, indexes, relations and tags.
    std::string_view json() const noexcept { return detail::or_empty(syncstore_remote_item_json(c_handle())); }
};

/// What remote::get_newer() found.
struct newer_item {
    /// The item has the rev of the earlier read still; else it has another, or is gone.
    bool unchanged = false;
    std::optional<remote_item> item;
};

/// Which items of a collection to list. All conditions hold together.
struct remote_query {
    std::optional<std::string> index;
    std::optional<std::string> prefix;
    std::optional<std::string> from;
    std::optional<std::string> to;
    std::optional<std::string> after;
    bool reverse = false;
    std::uint32_t limit = 0;

    syncstore_remote_query c_query() const noexcept
    {
        syncstore_remote_query c = SYNCSTORE_REMOTE_QUERY_INIT;
        c.index = detail::text_or_null(index);
        c.prefix = detail::text_or_null(prefix);
        c.from = detail::text_or_null(from);
        c.to = detail::text_or_null(to);
        c.after = detail::text_or_null(after);
        c.reverse = reverse ? 1 : 0;
        c.limit = limit;
        return c;
    }
};

/// An item, or a collection, of a listing.
struct remote_row {
    /// Of a collection, its name.
    std::string_view key;
    /// Empty for a collection.
    std::string_view value;
    std::uint64_t rev;
    /// Of a collection, how many items the caller sees.
    std::uint64_t items;
    std::optional<std::string_view> order;
};

/// A page of a listing.
class remote_page : public detail::owned<syncstore_remote_page, syncstore_remote_page_free>, public detail::listed<remote_page> {
public:
    using owned::owned;

    std::size_t size() const noexcept { return syncstore_remote_page_count(c_handle()); }
    remote_row operator[](std::size_t place) const
    {
        return {
            detail::or_empty(syncstore_remote_page_key(c_handle(), place)), detail::or_empty(syncstore_remote_page_value(c_handle(), place)),
            syncstore_remote_page_rev(c_handle(), place), syncstore_remote_page_items(c_handle(), place),
            detail::maybe(syncstore_remote_page_order(c_handle(), place))};
    }
    /// The name of the next page, for remote_query::after; nothing: this is the last.
    std::optional<std::string_view> next() const { return detail::maybe(syncstore_remote_page_next(c_handle())); }
};

enum class precondition : std::int32_t {
    none = SYNCSTORE_PRECONDITION_NONE,
    absent = SYNCSTORE_PRECONDITION_ABSENT,
    exists = SYNCSTORE_PRECONDITION_EXISTS,
    rev = SYNCSTORE_PRECONDITION_REV
};

/// How a write is made. As it is made, all of it is the default.
struct write_options {
    syncstore::precondition precondition = syncstore::precondition::none;
    /// Of precondition::rev.
    std::uint64_t rev = 0;
    std::optional<std::uint64_t> base;
    std::optional<ref> op;

    /// The same for C, good as long as this is not changed.
    syncstore_write_options c_options() const noexcept
    {
        syncstore_write_options c = SYNCSTORE_WRITE_OPTIONS_INIT;
        c.precondition = static_cast<std::int32_t>(precondition);
        c.has_base = base ? 1 : 0;
        c.rev = rev;
        c.base = base.value_or(0);
        c.op = op ? &*op : nullptr;
        return c;
    }
};

/// Writes that a server does all, or none; each has its ref since it was added.
class remote_batch : public detail::owned<syncstore_remote_batch, syncstore_remote_batch_free> {
public:
    using owned::owned;

    std::size_t size() const noexcept { return syncstore_remote_batch_count(c_handle()); }
    /// The rev that each write left its item at.
    answer<std::vector<std::uint64_t>> commit()
    {
        std::vector<std::uint64_t> revs(size());
        syncstore_error* raised = nullptr;
        const syncstore_status status = syncstore_remote_batch_commit(c_handle(), revs.empty() ? nullptr : revs.data(), revs.size(), &raised);
        if (status < 0) return detail::failed<std::vector<std::uint64_t>>(error(status, raised));
        return answer<std::vector<std::uint64_t>>(std::move(revs));
    }
    answer<void> set(std::string_view collection, std::string_view key, std::string_view json, const write_options& options = {})
    {
        const syncstore_write_options c = options.c_options();
        return detail::done([&](auto e) {
            return syncstore_remote_batch_set(
                c_handle(), detail::name(collection), detail::name(key), json.data(), json.size(), &c, e);
        });
    }
    answer<void> patch(
        std::string_view collection,
        std::string_view key,
        std::string_view patch,
        const write_options& options = {})
    {
        const syncstore_write_options c = options.c_options();
        return detail::done([&](auto e) {
            return syncstore_remote_batch_patch(
                c_handle(), detail::name(collection), detail::name(key), patch.data(), patch.size(), &c, e);
        });
    }
#ifdef SYNCSTORE_HAS_NLOHMANN
    template <class J, detail::only_json<J> = 0>
    answer<void> set(std::string_view collection, std::string_view key, const J& value, const write_options& options = {})
    {
        return set(collection, key, std::string_view(detail::dumped(value)), options);
    }
    template <class J, detail::only_json<J> = 0>
    answer<void> patch(std::string_view collection, std::string_view key, const J& patch, const write_options& options = {})
    {
        return this->patch(collection, key, std::string_view(detail::dumped(patch)), options);
    }
#endif
    answer<void> remove(std::string_view collection, std::string_view key, const write_options& options = {})
    {
        const syncstore_write_options c = options.c_options();
        return detail::done([&](auto e) {
            return syncstore_remote_batch_delete(
                c_handle(), detail::name(collection), detail::name(key), &c, e);
        });
    }
    answer<void> set_index(
        std::string_view collection,
        std::string_view key,
        std::string_view index,
        std::string_view order,
        const write_options& options = {})
    {
        const syncstore_write_options c = options.c_options();
        return detail::done([&](auto e) {
            return syncstore_remote_batch_set_index(
                c_handle(), detail::name(collection), detail::name(key), detail::name(index), detail::name(order), &c, e);
        });
    }
    answer<void> remove_index(
        std::string_view collection,
        std::string_view key,
        std::string_view index,
        const write_options& options = {})
    {
        const syncstore_write_options c = options.c_options();
        return detail::done([&](auto e) {
            return syncstore_remote_batch_delete_index(
                c_handle(), detail::name(collection), detail::name(key), detail::name(index), &c, e);
        });
    }
    answer<void> set_relation(
        std::string_view collection,
        std::string_view key,
        std::string_view id,
        std::string_view predicate,
        std::string_view object_collection,
        std::string_view object_key,
        const write_options& options = {})
    {
        const syncstore_write_options c = options.c_options();
        return detail::done([&](auto e) {
            return syncstore_remote_batch_set_relation(
                c_handle(), detail::name(collection), detail::name(key), detail::name(id), detail::name(predicate), detail::name(object_collection), detail::name(object_key), &c, e);
        });
    }
    answer<void> remove_relation(
        std::string_view collection,
        std::string_view key,
        std::string_view id,
        const write_options& options = {})
    {
        const syncstore_write_options c = options.c_options();
        return detail::done([&](auto e) {
            return syncstore_remote_batch_delete_relation(
                c_handle(), detail::name(collection), detail::name(key), detail::name(id), &c, e);
        });
    }
    answer<void> add_tag(
        std::string_view collection,
        std::string_view key,
        std::string_view tag,
        const write_options& options = {})
    {
        const syncstore_write_options c = options.c_options();
        return detail::done([&](auto e) {
            return syncstore_remote_batch_add_tag(
                c_handle(), detail::name(collection), detail::name(key), detail::name(tag), &c, e);
        });
    }
    answer<void> remove_tag(
        std::string_view collection,
        std::string_view key,
        std::string_view tag,
        const write_options& options = {})
    {
        const syncstore_write_options c = options.c_options();
        return detail::done([&](auto e) {
            return syncstore_remote_batch_remove_tag(
                c_handle(), detail::name(collection), detail::name(key), detail::name(tag), &c, e);
        });
    }
};

/// One database of one server, read and written directly; each call is one request.
class remote : public detail::owned<syncstore_remote, syncstore_remote_free> {
public:
    using owned::owned;

    static answer<remote> connect(std::string_view url, std::string_view database, const http_options& options = {})
    {
        std::vector<const char*> names;
        const syncstore_http_options c = options.c_options(names);
        return detail::call<remote>(
            [&](auto out, auto e) { return syncstore_remote_new(detail::name(url), detail::name(database), &c, out, e); });
    }
    /// The same database, with calls that end once they are cancelled.
    answer<remote> cancellable(const cancellation& cancel) const
    {
        return detail::call<remote>(
            [&](auto out, auto e) { return syncstore_remote_cancellable(c_handle(), cancel.c_handle(), out, e); });
    }
    answer<text> info() const
    {
        return detail::call<text>([&](auto out, auto e) { return syncstore_remote_info(c_handle(), out, e); });
    }
    answer<syncstore_traffic> traffic() const
    {
        return detail::call<syncstore_traffic>([&](auto out, auto e) { return syncstore_remote_traffic(c_handle(), out, e); });
    }
    /// For write_options::op.
    answer<ref> new_ref() const
    {
        return detail::call<ref>([&](auto out, auto e) { return syncstore_remote_new_ref(c_handle(), out, e); });
    }

    answer<std::optional<remote_item>> get(std::string_view collection, std::string_view key) const
    {
        return detail::find<remote_item>(
            [&](auto out, auto e) { return syncstore_remote_get(c_handle(), detail::name(collection), detail::name(key), out, e); });
    }
    /// The item only if it has another rev than that of an earlier read.
    answer<newer_item> get_newer(std::string_view collection, std::string_view key, std::uint64_t rev) const
    {
        syncstore_remote_item* raw = nullptr;
        syncstore_error* raised = nullptr;
        const syncstore_status status =
            syncstore_remote_get_newer(c_handle(), detail::name(collection), detail::name(key), rev, &raw, &raised);
        if (status < 0) return detail::failed<newer_item>(error(status, raised));
        newer_item found;
        found.unchanged = status == SYNCSTORE_UNCHANGED;
        if (status == SYNCSTORE_OK) found.item.emplace(raw);
        return answer<newer_item>(std::move(found));
    }
    /// JSON texts, as syncstore.h has them; nothing where the caller sees no such item.
    answer<std::optional<text>> indexes(std::string_view collection, std::string_view key) const
    {
        return detail::find<text>(
            [&](auto out, auto e) { return syncstore_remote_indexes(c_handle(), detail::name(collection), detail::name(key), out, e); });
    }
    answer<std::optional<text>> relations(std::string_view collection, std::string_view key) const
    {
        return detail::find<text>(
            [&](auto out, auto e) { return syncstore_remote_relations(c_handle(), detail::name(collection), detail::name(key), out, e); });
    }
    answer<std::optional<text>> tags(std::string_view collection, std::string_view key) const
    {
        return detail::find<text>(
            [&](auto out, auto e) { return syncstore_remote_tags(c_handle(), detail::name(collection), detail::name(key), out, e); });
    }
    answer<remote_page> list(std::string_view collection, const remote_query& query = {}) const
    {
        const syncstore_remote_query c = query.c_query();
        return detail::call<remote_page>(
            [&](auto out, auto e) { return syncstore_remote_list(c_handle(), detail::name(collection), &c, out, e); });
    }
    answer<remote_page> collections(std::optional<std::string_view> after = std::nullopt) const
    {
        return detail::call<remote_page>(
            [&](auto out, auto e) { return syncstore_remote_collections(c_handle(), detail::maybe_name(after), out, e); });
    }

    // Writes; each answers the rev that the item has then.

    answer<std::uint64_t> set(
        std::string_view collection,
        std::string_view key,
        std::string_view json,
        const write_options& options = {})
    {
        const syncstore_write_options c = options.c_options();
        return detail::call<std::uint64_t>([&](auto out, auto e) {
            return syncstore_remote_set(
                c_handle(), detail::name(collection), detail::name(key), json.data(), json.size(), &c, out, e);
        });
    }
    answer<std::uint64_t> patch(
        std::string_view collection,
        std::string_view key,
        std::string_view patch,
        const write_options& options = {})
    {
        const syncstore_write_options c = options.c_options();
        return detail::call<std::uint64_t>([&](auto out, auto e) {
            return syncstore_remote_patch(
                c_handle(), detail::name(collection), detail::name(key), patch.data(), patch.size(), &c, out, e);
        });
    }
#ifdef SYNCSTORE_HAS_NLOHMANN
    template <class J, detail::only_json<J> = 0>
    answer<std::uint64_t> set(std::string_view collection, std::string_view key, const J& value, const write_options& options = {})
    {
        return set(collection, key, std::string_view(detail::dumped(value)), options);
    }
    template <class J, detail::only_json<J> = 0>
    answer<std::uint64_t> patch(std::string_view collection, std::string_view key, const J& patch, const write_options& options = {})
    {
        return this->patch(collection, key, std::string_view(detail::dumped(patch)), options);
    }
#endif
    answer<std::uint64_t> remove(std::string_view collection, std::string_view key, const write_options& options = {})
    {
        const syncstore_write_options c = options.c_options();
        return detail::call<std::uint64_t>([&](auto out, auto e) {
            return syncstore_remote_delete(
                c_handle(), detail::name(collection), detail::name(key), &c, out, e);
        });
    }
    answer<std::uint64_t> set_index(
        std::string_view collection,
        std::string_view key,
        std::string_view index,
        std::string_view order,
        const write_options& options = {})
    {
        const syncstore_write_options c = options.c_options();
        return detail::call<std::uint64_t>([&](auto out, auto e) {
            return syncstore_remote_set_index(
                c_handle(), detail::name(collection), detail::name(key), detail::name(index), detail::name(order), &c, out, e);
        });
    }
    answer<std::uint64_t> remove_index(
        std::string_view collection,
        std::string_view key,
        std::string_view index,
        const write_options& options = {})
    {
        const syncstore_write_options c = options.c_options();
        return detail::call<std::uint64_t>([&](auto out, auto e) {
            return syncstore_remote_delete_index(
                c_handle(), detail::name(collection), detail::name(key), detail::name(index), &c, out, e);
        });
    }
    answer<std::uint64_t> set_relation(
        std::string_view collection,
        std::string_view key,
        std::string_view id,
        std::string_view predicate,
        std::string_view object_collection,
        std::string_view object_key,
        const write_options& options = {})
    {
        const syncstore_write_options c = options.c_options();
        return detail::call<std::uint64_t>([&](auto out, auto e) {
            return syncstore_remote_set_relation(
                c_handle(), detail::name(collection), detail::name(key), detail::name(id), detail::name(predicate), detail::name(object_collection), detail::name(object_key), &c, out, e);
        });
    }
    answer<std::uint64_t> remove_relation(
        std::string_view collection,
        std::string_view key,
        std::string_view id,
        const write_options& options = {})
    {
        const syncstore_write_options c = options.c_options();
        return detail::call<std::uint64_t>([&](auto out, auto e) {
            return syncstore_remote_delete_relation(
                c_handle(), detail::name(collection), detail::name(key), detail::name(id), &c, out, e);
        });
    }
    answer<std::uint64_t> add_tag(
        std::string_view collection,
        std::string_view key,
        std::string_view tag,
        const write_options& options = {})
    {
        const syncstore_write_options c = options.c_options();
        return detail::call<std::uint64_t>([&](auto out, auto e) {
            return syncstore_remote_add_tag(
                c_handle(), detail::name(collection), detail::name(key), detail::name(tag), &c, out, e);
        });
    }
    answer<std::uint64_t> remove_tag(
        std::string_view collection,
        std::string_view key,
        std::string_view tag,
        const write_options& options = {})
    {
        const syncstore_write_options c = options.c_options();
        return detail::call<std::uint64_t>([&](auto out, auto e) {
            return syncstore_remote_remove_tag(
                c_handle(), detail::name(collection), detail::name(key), detail::name(tag), &c, out, e);
        });
    }
    answer<remote_batch> batch() const
    {
        return detail::call<remote_batch>([&](auto out, auto e) { return syncstore_remote_batch_new(c_handle(), out, e); });
    }
};

#undef SYNCSTORE_TOLD

} // namespace throwing, expecting or resulting

} // namespace syncstore

/// For unordered containers: a ref is random enough by itself.
template <>
struct std::hash<syncstore::ref> {
    std::size_t operator()(const syncstore::ref& op) const noexcept
    {
        // The last bytes of a UUID of version 7 are random, the first are the time.
        std::size_t hash = 0;
        std::memcpy(&hash, op.bytes + sizeof(op.bytes) - sizeof(hash), sizeof(hash));
        return hash;
    }
};

#endif

// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <perdure/io/checkpoint.hpp>
#include <perdure/io/digest.hpp>
#include <perdure/io/restore.hpp>
#include <perdure/shm/crash_point.hpp>

namespace perdure::io {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(errc reason, const std::string& thing, const std::string& cause,
                         const std::string& todo) {
    throw failure(reason, thing + ": " + cause, todo);
}

/// A world that holds nothing but this state.
checkpoint_entry save_state(kernel_calls& calls, const std::string& directory, shm::region& state,
                            std::uint64_t incarnation) {
    file_system files(calls);
    create_world(files, directory);
    const auto must = [&](const auto& answer, const char* what) {
        if (answer.has_value()) return;
        std::string cause = what;
        cause += ": ";
        cause += files.last_error();
        refuse(answer.error(), "world " + directory, cause, std::string(remedy(answer.error())));
    };
    std::optional<finding> found;
    auto promised = manifest::open(files, directory, open_mode::read_write, found);
    must(promised, "its MANIFEST");
    // Receipts of the world it comes from must not be taken for its own.
    while (promised->incarnation() <= incarnation) {
        must(promised->raise_incarnation(), "its MANIFEST");
    }
    auto self = shm::participant::join(state);
    must(self, "a slot");
    checkpoint_order order;
    order.directory = directory;
    order.world = promised->world();
    order.incarnation = promised->incarnation();
    checkpoint_taker taker(files, state, *self);
    const auto made = taker.take(order);
    must(made, "its checkpoint");
    must(promised->publish_checkpoint(made->entry), "its MANIFEST");
    return made->entry;
}

/// A region that nobody finds, and that goes with its object.
std::unique_ptr<shm::region> unnamed_region(const opening_options& how, const manifest& like,
                                            bool more) {
    const std::string folder = how.region_directory.empty() ? "/dev/shm" : how.region_directory;
    const std::string path = folder + "/perdure-past-" + to_string(random_uuid());
    shm::region_options fresh = how.region;
    fresh.world = like.world();
    fresh.incarnation = like.incarnation();
    if (more) fresh.capacity_bytes += fresh.capacity_bytes / 4 + (16ULL << 20);
    auto made = std::make_unique<shm::region>(shm::region::create(path, fresh));
    ::unlink(path.c_str());
    return made;
}

/// The state with its tables as `order` wants them: saved as it is, and read again by the names of
/// the fields.
std::unique_ptr<shm::region> read_by_name(kernel_calls& calls, const restore_order& order,
                                          const past& history, shm::region& state,
                                          restore_report& report) {
    const std::string directory = order.to + ".restoring.before";
    std::error_code ignored;
    fs::remove_all(directory, ignored);
    const auto saved = save_state(calls, directory, state, history.promised().incarnation());
    file_system files(calls);
    std::string why;
    std::unique_ptr<shm::region> made;
    const auto read = [&](bool more) -> result<evolved_tables> {
        std::optional<finding> found;
        const auto path = checkpoint_path(directory, saved.lsn);
        const auto reader = checkpoint_reader::open(files, path, found);
        if (!reader && found) why = found->file + ": " + found->cause;
        if (!reader) return reader.error();
        made.reset();
        made = unnamed_region(order.how, history.promised(), more);
        return load_evolved(*reader, order.tables, *made, why);
    };
    auto done = read(false);
    if (!done && done.error() == errc::region_full) done = read(true);
    fs::remove_all(directory, ignored);
    for (const auto& ask : order.how.validators) {
        if (!done) break;
        if (why = ask(*made); !why.empty()) done = errc::schema_mismatch;
    }
    if (!done) {
        refuse(done.error(), order.from, why,
               "restore it with the build that made it, or change the schema");
    }
    report.evolved = std::move(done->changed);
    return made;
}

/// True while another process is attached to the world's region.
bool is_attached(const std::string& world) {
    const int file = ::open((world + "/region").c_str(), O_RDWR | O_CLOEXEC);
    if (file < 0) return false;
    struct flock whole {};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    const bool is_free = ::fcntl(file, F_OFD_SETLK, &whole) == 0;
    ::close(file);
    return !is_free;
}

}  // namespace

restore_report restore_world(kernel_calls& calls, const restore_order& order) {
    std::error_code ignored;
    if (fs::exists(order.to, ignored)) {
        refuse(errc::exists, order.to, "it is there already", "choose another directory");
    }
    const std::string draft = order.to + ".restoring";
    fs::remove_all(draft, ignored);
    past history(calls, order.from);
    restore_report out;
    if (!order.accepts_loss) out.lsn = history.lsn_of(order.point);
    PERDURE_CRASH_POINT("restore.begin");
    auto state = order.accepts_loss ? history.salvage(order.how, out.recovery)
                                    : history.at(out.lsn, order.how, out.recovery);
    out.lsn = state ? out.recovery.last_lsn : 0;
    if (out.lsn == 0 && !order.accepts_loss) {
        refuse(errc::not_found, order.from, "nothing was ever committed", "use init");
    }
    file_system files(calls);
    if (out.lsn == 0) create_world(files, draft);
    if (out.lsn != 0) {
        const auto other = is_evolved(*state, order.tables);
        if (!other) refuse(other.error(), order.from, "its schemas cannot be read", "verify it");
        if (*other) state = read_by_name(calls, order, history, *state, out);
        out.checkpoint = save_state(calls, draft, *state, history.promised().incarnation());
    }
    if (fs::exists(order.from + "/world.toml", ignored)) {
        fs::copy_file(order.from + "/world.toml", draft + "/world.toml",
                      fs::copy_options::overwrite_existing, ignored);
    }
    PERDURE_CRASH_POINT("restore.made");
    auto named = files.sync_directory(draft);
    if (named) named = files.rename(draft, order.to);
    if (named) named = files.sync_directory(folder_of(order.to));
    if (!named) refuse(named.error(), order.to, files.last_error(), "look at that file system");
    return out;
}

void swap_worlds(kernel_calls& calls, const std::string& world, const std::string& restored) {
    file_system files(calls);
    lease one(files, world);
    lease other(files, restored);
    for (auto* each : {&one, &other}) {
        const auto& thing = each == &one ? world : restored;
        const auto taken = each->take();
        if (!taken || is_attached(thing)) {
            refuse(taken ? errc::lease_held : taken.error(), "world " + thing,
                   "somebody has it open",
                   "stop all processes that have it open; `perdure status`");
        }
    }
    PERDURE_CRASH_POINT("restore.swap");
    auto swapped = files.exchange(world, restored);
    if (swapped) swapped = files.sync_directory(folder_of(world));
    if (swapped) swapped = files.sync_directory(folder_of(restored));
    if (!swapped)
        refuse(swapped.error(), "world " + world, files.last_error(), "move them by hand");
}

}  // namespace perdure::io

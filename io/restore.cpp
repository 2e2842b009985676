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

std::string draft_of(const std::string& to) { return to + ".restoring"; }

/// As a shell completes it: with a slash at its end.
std::string without_slashes(std::string path) {
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    return path;
}

/// The directory that becomes the new world: one restore's, and gone if that is refused.
class draft {
  public:
    draft(file_system& files, std::string path)
        : files_(&files), path_(std::move(path)), mine_(files, path_) {
        if (is_somebodys()) {
            refuse(errc::exists, path_, "it is there already, and no restore has made it",
                   "move it away, or choose another --to");
        }
        const auto made = files.make_directory(path_);
        const auto taken = made ? mine_.take() : made;
        if (!taken && taken.error() == errc::lease_held) {
            refuse(errc::lease_held, path_, "another restore is making it",
                   "wait for it, or choose another --to");
        }
        if (!taken) {
            const auto cause = files.last_error();
            std::error_code ignored;
            fs::remove(path_, ignored);  // What is empty; more is not ours.
            refuse(taken.error(), path_, cause, "look at the directory it lies in");
        }
        is_ours_ = true;
        sweep();
    }
    draft(const draft&) = delete;
    draft& operator=(const draft&) = delete;
    ~draft() {
        if (is_ours_) remove();
    }

    /// Gives it its name. What is left of a restore that died before is known by its marker.
    result<> become(const std::string& name) {
        PERDURE_TRY(files_->sync_directory(path_));
        PERDURE_TRY(files_->rename(path_, name));
        is_ours_ = false;
        PERDURE_TRY(files_->unlink(name + "/" + marker_name));
        return files_->sync_directory(folder_of(name));
    }

  private:
    static constexpr auto marker_name = "restoring";
    [[nodiscard]] std::string marker() const { return path_ + "/" + marker_name; }

    /// A restore that died has left a marker, or not more than a lock.
    [[nodiscard]] bool is_somebodys() const {
        std::error_code ignored;
        if (!fs::exists(path_, ignored) || fs::exists(marker(), ignored)) return false;
        for (const auto& each : fs::directory_iterator(path_, ignored)) {
            if (each.path().filename() != "lock") return true;
        }
        return !fs::is_directory(path_, ignored);
    }

    /// The marker stays until the last, so that whoever dies here leaves what is known; the lock
    /// stays, it is held.
    void clear() {
        std::error_code ignored;
        for (const auto& each : fs::directory_iterator(path_, ignored)) {
            const auto name = each.path().filename();
            if (name != "lock" && name != marker_name) fs::remove_all(each.path(), ignored);
        }
    }
    void remove() {
        clear();
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    void sweep() {
        const auto marked = files_->open(marker(), open_mode::open_or_create);
        if (marked) return clear();
        const auto cause = files_->last_error();
        remove();
        refuse(marked.error(), path_, cause, std::string(remedy(marked.error())));
    }

    file_system* files_;
    std::string path_;
    lease mine_;
    bool is_ours_ = false;
};

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
    const std::string directory = draft_of(order.to) + "/before";
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
    std::error_code ignored;
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

/// Takes the lease of a world that nobody has open.
void have_alone(lease& mine, const std::string& world) {
    const auto taken = mine.take();
    if (taken && !is_attached(world)) return;
    refuse(taken ? errc::lease_held : taken.error(), "world " + world, "somebody has it open",
           "stop all processes that have it open; `perdure status`");
}

}  // namespace

restore_report restore_world(kernel_calls& calls, const restore_order& asked) {
    restore_order order = asked;
    order.to = without_slashes(asked.to);
    std::error_code ignored;
    if (order.to.empty()) refuse(errc::bad_query, "--to", "it names no directory", "name one");
    if (fs::exists(order.to, ignored)) {
        refuse(errc::exists, order.to, "it is there already", "choose another directory");
    }
    if (const auto folder = folder_of(order.to); !fs::is_directory(folder, ignored)) {
        refuse(errc::not_found, folder, "there is no such directory", "make it, or choose another");
    }
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
    const std::string made_in = draft_of(order.to);
    draft made(files, made_in);
    if (out.lsn == 0) create_world(files, made_in);
    if (out.lsn != 0) {
        const auto other = is_evolved(*state, order.tables);
        if (!other) refuse(other.error(), order.from, "its schemas cannot be read", "verify it");
        if (*other) state = read_by_name(calls, order, history, *state, out);
        out.checkpoint = save_state(calls, made_in, *state, history.promised().incarnation());
    }
    if (fs::exists(order.from + "/world.toml", ignored)) {
        fs::copy_file(order.from + "/world.toml", made_in + "/world.toml",
                      fs::copy_options::overwrite_existing, ignored);
    }
    PERDURE_CRASH_POINT("restore.made");
    const auto named = made.become(order.to);
    if (!named) refuse(named.error(), order.to, files.last_error(), "look at that file system");
    return out;
}

void check_swap(kernel_calls& calls, const std::string& world, const std::string& restored) {
    file_system files(calls);
    lease mine(files, world);
    have_alone(mine, world);
    struct stat here {};
    struct stat there {};
    const std::string folder = folder_of(without_slashes(restored));
    // Of the name that is exchanged, which may be a link to elsewhere.
    const bool is_known =
        ::lstat(without_slashes(world).c_str(), &here) == 0 && ::stat(folder.c_str(), &there) == 0;
    if (is_known && here.st_dev != there.st_dev) {
        refuse(errc::bad_query, "--swap", world + " and " + folder + " are of two file systems",
               "choose a directory beside the world");
    }
}

void swap_worlds(kernel_calls& calls, const std::string& one_name, const std::string& other_name) {
    const std::string world = without_slashes(one_name);
    const std::string restored = without_slashes(other_name);
    file_system files(calls);
    lease one(files, world);
    lease other(files, restored);
    have_alone(one, world);
    have_alone(other, restored);
    PERDURE_CRASH_POINT("restore.swap");
    auto swapped = files.exchange(world, restored);
    if (swapped) swapped = files.sync_directory(folder_of(world));
    if (swapped) swapped = files.sync_directory(folder_of(restored));
    if (!swapped)
        refuse(swapped.error(), "world " + world, files.last_error(), "move them by hand");
}

}  // namespace perdure::io

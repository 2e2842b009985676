// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/doctor/check.hpp>

#include <archive.h>
#include <archive_entry.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

#include <boost/json.hpp>
#include <perdure/apps/cli/gauges.hpp>
#include <perdure/apps/export/sink.hpp>
#include <perdure/io/manifest.hpp>

namespace perdure::apps {
namespace {

constexpr std::size_t part_bytes_max = 16ULL << 20;

/// A tar packed by zstd, through a sink: it appears when it is whole.
class packed_tar {
  public:
    explicit packed_tar(text_sink& to) : to_(to), archive_(::archive_write_new()) {
        check(archive_ != nullptr);
        check(::archive_write_add_filter_zstd(archive_.get()) == ARCHIVE_OK);
        check(::archive_write_set_format_pax_restricted(archive_.get()) == ARCHIVE_OK);
        // Or zeros up to a tape's block would follow the packed end.
        check(::archive_write_set_bytes_in_last_block(archive_.get(), 1) == ARCHIVE_OK);
        check(::archive_write_open(archive_.get(), this, nullptr, &packed_tar::take, nullptr) ==
              ARCHIVE_OK);
    }
    void add(const std::string& name, std::string_view content) {
        const std::unique_ptr<archive_entry, void (*)(archive_entry*)> entry(::archive_entry_new(),
                                                                             &::archive_entry_free);
        ::archive_entry_set_pathname(entry.get(), ("perdure-support/" + name).c_str());
        ::archive_entry_set_filetype(entry.get(), AE_IFREG);
        ::archive_entry_set_perm(entry.get(), 0600);
        ::archive_entry_set_size(entry.get(), static_cast<la_int64_t>(content.size()));
        check(::archive_write_header(archive_.get(), entry.get()) == ARCHIVE_OK);
        const auto written = ::archive_write_data(archive_.get(), content.data(), content.size());
        check(written == static_cast<la_ssize_t>(content.size()));
    }
    void finish() { check(::archive_write_close(archive_.get()) == ARCHIVE_OK); }

  private:
    /// What the sink refuses is thrown again by check(): no exception crosses the C library.
    static la_ssize_t take(archive* from, void* self, const void* bytes, std::size_t count) {
        auto& tar = *static_cast<packed_tar*>(self);
        try {
            tar.to_.add({static_cast<const char*>(bytes), count});
            return static_cast<la_ssize_t>(count);
        } catch (...) {
            tar.refused_ = std::current_exception();
            ::archive_set_error(from, EIO, "the file cannot be written");
            return -1;
        }
    }
    void check(bool done) const {
        if (done) return;
        if (refused_) std::rethrow_exception(refused_);
        const char* why = archive_ == nullptr ? nullptr : ::archive_error_string(archive_.get());
        throw failure(errc::io_error,
                      std::string("support bundle: ") + (why == nullptr ? "no memory" : why),
                      "look at the path and its disk");
    }
    struct freed {
        void operator()(archive* which) const noexcept { ::archive_write_free(which); }
    };

    text_sink& to_;
    std::exception_ptr refused_;
    std::unique_ptr<archive, freed> archive_;
};

std::string content_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::string out(part_bytes_max, '\0');
    file.read(out.data(), static_cast<std::streamsize>(out.size()));
    out.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
    return out;
}

/// What a name or a value in world.toml may give away is not copied: none of its keys is a secret
/// today, and a later one that sounds like it is left out.
std::string without_secrets(const std::string& text) {
    std::istringstream lines(text);
    std::string out;
    for (std::string line; std::getline(lines, line);) {
        bool hidden = false;
        for (const auto* word : {"secret", "token", "password", "key_file"}) {
            hidden = hidden || line.find(word) != std::string::npos;
        }
        out += hidden ? "# left out by doctor\n" : line + "\n";
    }
    return out;
}

std::string kernel_facts() {
    utsname facts{};
    ::uname(&facts);
    std::string out = std::string(facts.sysname) + " " + facts.release + " " + facts.version + " " +
                      facts.machine + "\n";
    for (const auto* path : {"/proc/meminfo", "/proc/loadavg", "/proc/sys/kernel/core_pattern",
                             "/sys/kernel/mm/transparent_hugepage/enabled",
                             "/sys/kernel/mm/transparent_hugepage/shmem_enabled"}) {
        std::ifstream file(path);
        std::ostringstream text;
        text << file.rdbuf();
        out += std::string("\n== ") + path + "\n" + text.str();
    }
    return out;
}

std::string schemas(world_reader& in) {
    namespace json = boost::json;
    json::array all;
    for (const auto& each : in.tables()) {
        json::array fields;
        for (const auto& field : each.shape.fields) {
            fields.push_back(json::object{{"name", field.name},
                                          {"type", static_cast<int>(field.type)},
                                          {"offset", field.offset},
                                          {"bytes", field.bytes},
                                          {"flags", field.flags}});
        }
        all.push_back(json::object{{"table", each.shape.name},
                                   {"number", each.number},
                                   {"version", each.shape.version},
                                   {"row_bytes", each.shape.row_bytes},
                                   {"rows_up_to", in.row_end(each)},
                                   {"indexes", each.shape.indexes.size()},
                                   {"fields", std::move(fields)}});
    }
    return json::serialize(all) + "\n";
}

}  // namespace

std::vector<std::string> write_bundle(const std::string& path, const world_choice& where,
                                      const std::string& findings) {
    io::kernel_calls calls;
    file_sink file(calls, path);
    packed_tar tar(file);
    std::vector<std::string> names;
    const auto add = [&](const std::string& name, std::string_view content) {
        tar.add(name, content);
        names.push_back(name);
    };
    add("doctor.json", findings + "\n");
    add("kernel.txt", kernel_facts());
    if (!where.directory.empty()) {
        const std::string toml = where.directory + "/world.toml";
        if (std::filesystem::exists(toml)) add("world.toml", without_secrets(content_of(toml)));
        const std::string manifest = io::manifest_path(where.directory);
        if (std::filesystem::exists(manifest)) add("MANIFEST", content_of(manifest));
        try {
            world_reader in(where);
            const gauges now = read_gauges(in);
            add("status.json", boost::json::serialize(as_json(now, now)) + "\n");
            add("schemas.json", schemas(in));
            add("region_header.bin",
                {reinterpret_cast<const char*>(in.region().start()), shm::page_bytes});
        } catch (const failure& why) {
            add("region.txt", why.thing() + "\n");
        }
    }
    tar.finish();
    file.finish();
    return names;
}

}  // namespace perdure::apps

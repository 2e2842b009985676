// SPDX-License-Identifier: Apache-2.0
#include <perdure/io/log.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <vector>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <perdure/io/file.hpp>

namespace perdure::io {
namespace {

constexpr std::array<std::string_view, 6> level_names{"trace", "debug", "info",
                                                      "warn",  "error", "off"};

std::string_view name_of(log_level level) noexcept {
    return level_names[static_cast<std::size_t>(level) - 1];
}

spdlog::level::level_enum spdlog_level(log_level level) noexcept {
    constexpr std::array levels{spdlog::level::trace, spdlog::level::debug, spdlog::level::info,
                                spdlog::level::warn,  spdlog::level::err,   spdlog::level::off};
    return levels[static_cast<std::size_t>(level) - 1];
}

/// Writes a line to a descriptor with one call; a line that cannot be written is dropped.
class descriptor_sink final : public spdlog::sinks::base_sink<std::mutex> {
  public:
    explicit descriptor_sink(int descriptor) : descriptor_(descriptor) {}

  protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        line_.assign(message.payload.begin(), message.payload.end());
        line_ += '\n';
        if (::write(descriptor_, line_.data(), line_.size()) < 0) return;
    }
    void flush_() override {}

  private:
    int descriptor_;
    std::string line_;
};

void append_quoted(std::string& out, std::string_view text) {
    out += '"';
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (byte < 0x20 || byte == 0x7f) {
            out += fmt::format("\\u{:04x}", byte);
        } else {
            out += c;
        }
    }
    out += '"';
}

using moment = std::chrono::time_point<std::chrono::system_clock, std::chrono::microseconds>;

std::string json_line(moment now, log_level level, std::string_view message,
                      std::initializer_list<log_field> fields) {
    std::string out = fmt::format("{{\"time\":\"{:%Y-%m-%dT%H:%M:}{:%S}Z\",\"level\":\"{}\",",
                                  fmt::gmtime(std::chrono::system_clock::to_time_t(now)),
                                  now.time_since_epoch(), name_of(level));
    out += "\"pid\":" + std::to_string(::getpid()) + ",\"message\":";
    append_quoted(out, message);
    for (const log_field& field : fields) {
        out += ',';
        append_quoted(out, field.name);
        out += ':';
        field.is_number ? void(out += field.text) : append_quoted(out, field.text);
    }
    return out + '}';
}

/// Quotes a value where a person could not see its end, or it could end the line.
void append_readable(std::string& out, std::string_view text) {
    const bool plain = !text.empty() && text.find_first_of(" \"\\=") == std::string_view::npos &&
                       std::ranges::all_of(text, [](unsigned char c) { return c >= 0x20; });
    plain ? void(out += text) : append_quoted(out, text);
}

std::string human_line(moment now, log_level level, std::string_view message,
                       std::initializer_list<log_field> fields) {
    std::string out =
        fmt::format("{:%H:%M:%S} {:<5} ", fmt::localtime(std::chrono::system_clock::to_time_t(now)),
                    name_of(level));
    for (const char c : message) out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    for (const log_field& field : fields) {
        out += "  " + std::string(field.name) + '=';
        append_readable(out, field.text);
    }
    return out;
}

}  // namespace

struct log::sinks {
    log_level least;
    bool is_terminal;
    std::shared_ptr<spdlog::logger> console;
    std::shared_ptr<spdlog::logger> file;
};

log::log(const log_options& options) : sinks_(std::make_unique<sinks>()) {
    sinks_->least = options.least;
    sinks_->is_terminal = ::isatty(options.terminal) == 1;
    const auto level = spdlog_level(options.least);
    sinks_->console = std::make_shared<spdlog::logger>(
        "console", std::make_shared<descriptor_sink>(options.terminal));
    sinks_->console->set_level(level);
    if (options.file.empty()) return;
    try {
        const std::string folder = folder_of(options.file);
        if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
            throw spdlog::spdlog_ex(folder, errno);
        }
        auto sink = std::make_shared<spdlog::sinks::rotating_file_sink_mt>(
            options.file, options.rotate_bytes, options.rotate_count);
        sinks_->file = std::make_shared<spdlog::logger>("file", std::move(sink));
        sinks_->file->set_pattern("%v");
        sinks_->file->set_level(level);
        sinks_->file->flush_on(spdlog::level::trace);
    } catch (const spdlog::spdlog_ex& error) {
        throw failure(errc::io_error, "log file " + options.file + ": " + error.what(),
                      "make its directory writable, or set log.file to another name");
    }
}

log::log(log&&) noexcept = default;
log& log::operator=(log&&) noexcept = default;
log::~log() = default;

void log::write(log_level level, std::string_view message,
                std::initializer_list<log_field> fields) noexcept {
    if (level < sinks_->least) return;
    try {
        const auto now = std::chrono::time_point_cast<std::chrono::microseconds>(
            std::chrono::system_clock::now());
        std::string json;
        if (!sinks_->is_terminal || sinks_->file) json = json_line(now, level, message, fields);
        // Through "{}": a brace in somebody's file name is no format.
        sinks_->console->log(spdlog_level(level), "{}",
                             sinks_->is_terminal ? human_line(now, level, message, fields) : json);
        if (sinks_->file) sinks_->file->log(spdlog_level(level), "{}", json);
    } catch (const std::exception&) {
        return;  // A log that cannot be written is no reason to stop.
    }
}

log_level level_named(std::string_view name) noexcept {
    for (std::size_t i = 0; i < level_names.size(); ++i) {
        if (level_names[i] == name) return static_cast<log_level>(i + 1);
    }
    PERDURE_ASSERT(!"a level that log.level allows");
    return log_level::note;
}

}  // namespace perdure::io

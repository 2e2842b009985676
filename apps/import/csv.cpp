// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/import/csv.hpp>

namespace perdure::apps {
namespace {

constexpr int end_of_file = -1;
constexpr std::size_t fields_max = 1024;

}  // namespace

csv_reader::csv_reader(const std::string& path) : path_(path), source_(path), buffer_(1U << 16) {
    // A byte order mark is no part of the first name.
    if (peek() == 0xef && end_ >= 3 && buffer_[1] == std::byte{0xbb} &&
        buffer_[2] == std::byte{0xbf}) {
        at_ = 3;
    }
}

int csv_reader::peek() {
    if (at_ == end_) {
        const auto got = source_.read(buffer_);
        if (!got) {
            throw failure(got.error(), path_ + ": behind line " + std::to_string(next_line_ - 1),
                          got.error() == errc::damaged
                              ? "the packed file is not whole; fetch it again"
                              : "check the disk it lies on");
        }
        at_ = 0;
        end_ = *got;
        if (end_ == 0) return end_of_file;
    }
    return static_cast<int>(buffer_[at_]);
}

int csv_reader::take() {
    const int byte = peek();
    if (byte == end_of_file) return byte;
    ++at_;
    if (byte == '\n') ++next_line_;
    return byte;
}

void csv_reader::add(int byte) {
    if (text_.size() < record_max) {
        text_.push_back(static_cast<char>(byte));
    } else {
        broken_ = "longer than 64 KiB";
    }
}

void csv_reader::end_field() {
    if (ends_.size() < fields_max) {
        ends_.push_back(text_.size());
    } else {
        broken_ = "more than 1024 fields";
    }
}

/// Behind the opening quote.
void csv_reader::take_quoted() {
    for (;;) {
        const int byte = take();
        if (byte == end_of_file) {
            broken_ = "a quote is never closed";
            return;
        }
        if (byte == '"') {
            if (peek() != '"') return;
            take();
        }
        add(byte);
    }
}

bool csv_reader::next() {
    text_.clear();
    ends_.clear();
    fields_.clear();
    broken_ = {};
    while (peek() == '\n' || peek() == '\r') take();
    if (peek() == end_of_file) return false;
    line_ = next_line_;

    bool field_began = false;
    for (bool ended = false; !ended;) {
        const int byte = take();
        if (byte == '"' && !field_began) {
            take_quoted();
            field_began = true;
            const int behind = peek();
            if (behind != ',' && behind != '\n' && behind != '\r' && behind != end_of_file) {
                broken_ = "text behind a closing quote";
            }
        } else if (byte == ',') {
            end_field();
            field_began = false;
        } else if (byte == '\n' || byte == end_of_file) {
            ended = true;
        } else if (byte == '\r' && (peek() == '\n' || peek() == end_of_file)) {
            continue;  // The first half of a line's end.
        } else {
            add(byte);
            field_began = true;
        }
    }
    end_field();
    std::size_t begin = 0;
    for (const std::size_t end : ends_) {
        fields_.emplace_back(text_.data() + begin, end - begin);
        begin = end;
    }
    return true;
}

}  // namespace perdure::apps

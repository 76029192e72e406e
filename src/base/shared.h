#pragma once

#include <memory>
#include <optional>
#include <utility>

namespace howdah {

/// An optional value that is cheap to copy: copies share it until one of them is changed. Not
/// thread-safe where one copy is changed while another is made.
template <class T>
class Shared {
public:
    Shared() = default;
    Shared(std::nullopt_t) {}
    Shared(T value) : value_(std::make_shared<T>(std::move(value))) {}

    explicit operator bool() const { return value_ != nullptr; }
    bool has_value() const { return value_ != nullptr; }
    const T& operator*() const { return *value_; }
    const T* operator->() const { return value_.get(); }
    /// To change it: from here on this copy is alone.
    T& operator*() { return own(); }
    T* operator->() { return &own(); }
    T value_or(T otherwise) const { return value_ ? *value_ : std::move(otherwise); }
    void reset() { value_.reset(); }

private:
    T& own() {
        if (value_.use_count() > 1) {
            value_ = std::make_shared<T>(*value_);
        }
        return *value_;
    }
    std::shared_ptr<T> value_{};
};

}  // namespace howdah

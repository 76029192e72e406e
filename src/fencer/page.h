#pragma once

#include <optional>
#include <string>

#include "base/instant.h"
#include "base/result.h"

namespace howdah::fencer {

/// The deadline that the agent gives the fencer: one page, mapped by both, under a sequence lock
/// (safety-model.md, L9). The file is `deadline` in the state directory. Written by one thread.
class DeadlinePage {
public:
    /// Creates or opens the file and maps it. Errors: Errc::io.
    static Result<DeadlinePage> open(const std::string& path);
    DeadlinePage(DeadlinePage&& other) noexcept;
    DeadlinePage& operator=(DeadlinePage&& other) noexcept;
    ~DeadlinePage();

    /// The fencer kills the tree at `when`; never() disarms. Monotonic by its caller, not here.
    void arm(Instant when);
    /// Consistent value; safe in the fencer while the agent writes or is dead mid-write: a torn
    /// write that never completes reads as `kill now`.
    Instant read() const;

private:
    struct Layout;
    explicit DeadlinePage(Layout* page) : page_(page) {}
    Layout* page_ = nullptr;
};

}  // namespace howdah::fencer

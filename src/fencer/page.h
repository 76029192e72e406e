#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "base/instant.h"
#include "base/result.h"

namespace howdah::fencer {

/// The deadline that the agent gives the fencer: one page, mapped by both, under a sequence lock
/// (safety-model.md, L9). The file is `deadline` in the state directory. One process writes it, one
/// thread at a time. It outlives a boot, the instants in it do not: it names the boot they are of.
class DeadlinePage {
public:
    /// Creates or opens the file and maps it; nothing in it changes. Errors: Errc::io.
    static Result<DeadlinePage> open(const std::string& path);
    DeadlinePage(DeadlinePage&& other) noexcept;
    DeadlinePage& operator=(DeadlinePage&& other) noexcept;
    ~DeadlinePage();

    /// The fencer kills the tree at `when`; never() disarms. Monotonic by its caller, not here.
    void arm(Instant when);
    /// Consistent value; safe in the fencer while the agent writes or is dead mid-write: a torn
    /// write that never completes reads as `kill now`. What another boot wrote reads as never().
    Instant read() const;

private:
    using BootId = std::array<std::uint64_t, 2>;
    struct Layout;
    static Result<BootId> this_boot();
    DeadlinePage(Layout* page, BootId boot) : page_(page), boot_(boot) {}
    Layout* page_ = nullptr;
    BootId boot_{};
};

}  // namespace howdah::fencer

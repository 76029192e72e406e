#include "io/parking.h"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace howdah::io {

namespace asio = boost::asio;

asio::awaitable<bool> Parking::wait() {
    return asio::async_initiate<const asio::use_awaitable_t<>, void(bool)>(
        [this](auto handler) {
            auto slot = asio::get_associated_cancellation_slot(handler);
            const auto place =
                parked_.insert(parked_.end(), One{.handler = std::move(handler), .slot = slot});
            if (slot.is_connected()) {
                slot.assign([this, place](asio::cancellation_type) { resume(place, false); });
            }
        },
        asio::use_awaitable);
}

void Parking::resume(Parked::iterator one, bool woken) {
    auto handler = std::move(one->handler);
    auto slot = one->slot;
    parked_.erase(one);
    if (slot.is_connected()) {
        slot.clear();  // a cancellation from here on is not for this wait
    }
    asio::post(executor_, [handler = std::move(handler), woken]() mutable { handler(woken); });
}

void Parking::wake_all() {
    while (!parked_.empty()) {
        resume(parked_.begin(), true);
    }
}

}  // namespace howdah::io

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/agent_config.h"
#include "io/http.h"

namespace howdah::api {

/// GET, HEAD and OPTIONS change nothing.
bool is_safe(const io::HttpRequest& request);

/// Whether `peer` is one of `allowed`: addresses, or networks as 10.0.0.0/8.
bool is_allowed(const std::string& peer, const std::vector<std::string>& allowed);
/// "10.0.0.1" or "10.0.0.0/8" and their like in IPv6, not a name.
bool is_network(const std::string& text);

/// A client certificate, where restapi.verify_client wants one for unsafe methods: nullopt when
/// `request` may pass.
std::optional<io::HttpResponse> refuse_without_certificate(const io::HttpRequest& request,
                                                           io::ClientCertificates wanted);

/// What members ask of each other (N14). Where no credentials are configured only those may ask who
/// bring a client certificate, or call from this host or from `members`, the members' addresses:
/// nullopt when `request` may pass.
std::optional<io::HttpResponse> refuse_stranger(const io::HttpRequest& request,
                                                const std::vector<std::string>& members);

/// Basic authentication of unsafe methods (patroni-compatibility.md 3.2): nullopt when `request`
/// may pass.
std::optional<io::HttpResponse> refuse_access(const io::HttpRequest& request,
                                              const std::optional<config::Credentials>& wanted);

}  // namespace howdah::api

// What every user of these libraries needs of their templates: declared (headers.h) or made
// (templates.cpp) by HOWDAH_TEMPLATE.

HOWDAH_TEMPLATE class nlohmann::basic_json<>;
HOWDAH_TEMPLATE class nlohmann::basic_json<nlohmann::ordered_map>;
HOWDAH_TEMPLATE class std::vector<nlohmann::json>;
HOWDAH_TEMPLATE class std::vector<nlohmann::ordered_json>;
HOWDAH_TEMPLATE class nlohmann::detail::serializer<nlohmann::json>;
HOWDAH_TEMPLATE class nlohmann::detail::serializer<nlohmann::ordered_json>;
HOWDAH_TEMPLATE class nlohmann::detail::json_sax_dom_parser<nlohmann::json>;
HOWDAH_TEMPLATE class nlohmann::detail::json_sax_dom_parser<nlohmann::ordered_json>;
HOWDAH_TEMPLATE class nlohmann::detail::parser<
    nlohmann::json, nlohmann::detail::iterator_input_adapter<std::string::const_iterator>>;
HOWDAH_TEMPLATE class nlohmann::detail::parser<
    nlohmann::ordered_json, nlohmann::detail::iterator_input_adapter<std::string::const_iterator>>;
HOWDAH_TEMPLATE class nlohmann::detail::lexer<
    nlohmann::json, nlohmann::detail::iterator_input_adapter<std::string::const_iterator>>;
HOWDAH_TEMPLATE class nlohmann::detail::lexer<
    nlohmann::ordered_json, nlohmann::detail::iterator_input_adapter<std::string::const_iterator>>;
HOWDAH_TEMPLATE void fmt::detail::vformat_to(fmt::detail::buffer<char>&, fmt::string_view,
                                             fmt::basic_format_args<fmt::format_context>,
                                             fmt::detail::locale_ref);

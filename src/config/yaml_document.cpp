#include "config/yaml_document.h"

#include <fmt/format.h>
#include <yaml.h>

#include <algorithm>
#include <deque>
#include <optional>
#include <set>

#include "config/yaml_scalar.h"

namespace howdah::config {
namespace {

using Json = nlohmann::ordered_json;

constexpr int deepest = 100;
constexpr int most_values = 100'000;
constexpr auto core_map = "tag:yaml.org,2002:map";
constexpr auto core_seq = "tag:yaml.org,2002:seq";

enum class Kind : std::uint8_t { scalar, sequence, mapping };

/// What the text holds before anchors, merge keys and types are looked at.
struct Node {
    Kind kind = Kind::scalar;
    std::string tag{};   ///< empty: none was written
    std::string text{};  ///< of a scalar
    bool plain = false;  ///< a scalar whose type follows from its text
    int line = 0;
    std::vector<Node*> items{};                    ///< of a sequence
    std::vector<std::pair<Node*, Node*>> pairs{};  ///< of a mapping
    bool open = false;                             ///< is being walked: an alias here is a circle
    bool is_merge_key() const { return kind == Kind::scalar && plain && text == "<<"; }
};

struct Refusal {
    int line = 0;
    std::string message{};
    std::string hint{};
};

std::string from_yaml(const yaml_char_t* text) {
    return text == nullptr ? std::string() : std::string(reinterpret_cast<const char*>(text));
}

/// Where the text may hold tabs: inside quotes and below the header of a block text, as positions
/// in characters.
struct Span {
    std::size_t from = 0;
    std::size_t to = 0;
    bool block = false;  ///< its first line, the header, does not count
};

/// The events of libyaml, composed into nodes. Throws Refusal.
class Composer {
public:
    explicit Composer(const std::string& text) {
        if (yaml_parser_initialize(&parser_) == 0) {
            throw std::bad_alloc();
        }
        yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()),
                                     text.size());
    }
    ~Composer() {
        yaml_event_delete(&event_);
        yaml_parser_delete(&parser_);
    }
    Composer(const Composer&) = delete;
    Composer& operator=(const Composer&) = delete;

    /// The only document; nullptr for an empty text.
    Node* compose() {
        next();  // the stream begins
        next();
        if (event_.type == YAML_STREAM_END_EVENT) {
            return nullptr;
        }
        next();
        auto* root = node(0);
        next();  // the document ends
        next();
        if (event_.type != YAML_STREAM_END_EVENT) {
            throw Refusal{line(), "a second document begins",
                          "keep what belongs to this file in one document, without a second ---"};
        }
        return root;
    }

    const std::vector<Span>& quoted() const { return quoted_; }

private:
    int line() const { return static_cast<int>(event_.start_mark.line) + 1; }

    void next() {
        yaml_event_delete(&event_);
        event_ = {};
        if (yaml_parser_parse(&parser_, &event_) == 0) {
            // The reader's errors (a byte that is no UTF-8, a control character) have no mark.
            const auto at =
                parser_.error == YAML_READER_ERROR ? parser_.mark : parser_.problem_mark;
            throw Refusal{
                static_cast<int>(at.line) + 1,
                fmt::format("not valid YAML: {}",
                            parser_.problem == nullptr ? "it can't be read" : parser_.problem),
                "look at the indentation and the quotes of that line"};
        }
    }

    Node* make(Kind kind, const yaml_char_t* tag, const yaml_char_t* anchor) {
        auto& made = nodes_.emplace_back();
        made.kind = kind;
        made.line = line();
        made.tag = from_yaml(tag);
        if (made.tag == "!") {
            made.tag.clear();
        }
        if (anchor != nullptr && !anchors_.emplace(from_yaml(anchor), &made).second) {
            throw Refusal{line(), fmt::format("the anchor &{} is defined twice", from_yaml(anchor)),
                          "give each anchor a name of its own"};
        }
        return &made;
    }

    /// Of the present scalar: [!!str, a] and [a ? b], which PyYAML does not read between brackets.
    void refuse_what_only_libyaml_reads(bool quoted) const {
        const auto& scalar = event_.data.scalar;
        const auto tag = from_yaml(scalar.tag);
        const std::string_view text(reinterpret_cast<const char*>(scalar.value), scalar.length);
        if (flow_ == 0 || quoted) {
            return;
        }
        if (text.empty() && (tag == "!" || tag.starts_with("tag:"))) {
            throw Refusal{line(), "a tag without a value", "remove it"};
        }
        if (text.find('?') != std::string_view::npos) {
            throw Refusal{line(), fmt::format("{} holds a question mark", text),
                          "write it in quotes"};
        }
    }

    /// From the present event on.
    Node* node(int depth) {
        if (depth > deepest) {
            throw Refusal{line(), fmt::format("more than {} levels", deepest),
                          "no configuration is that deep"};
        }
        switch (event_.type) {
            case YAML_ALIAS_EVENT: {
                const auto found = anchors_.find(from_yaml(event_.data.alias.anchor));
                if (found == anchors_.end()) {
                    throw Refusal{line(),
                                  fmt::format("the anchor of *{} is not defined above",
                                              from_yaml(event_.data.alias.anchor)),
                                  "write a value that begins with * in quotes"};
                }
                return found->second;
            }
            case YAML_SEQUENCE_START_EVENT: {
                const auto& start = event_.data.sequence_start;
                auto* made = make(Kind::sequence, start.tag, start.anchor);
                const int outer = flow_;
                flow_ += start.style == YAML_FLOW_SEQUENCE_STYLE ? 1 : 0;
                for (next(); event_.type != YAML_SEQUENCE_END_EVENT; next()) {
                    made->items.push_back(node(depth + 1));
                }
                flow_ = outer;
                return made;
            }
            case YAML_MAPPING_START_EVENT: {
                const auto& start = event_.data.mapping_start;
                auto* made = make(Kind::mapping, start.tag, start.anchor);
                const int outer = flow_;
                flow_ += start.style == YAML_FLOW_MAPPING_STYLE ? 1 : 0;
                for (next(); event_.type != YAML_MAPPING_END_EVENT; next()) {
                    auto* key = node(depth + 1);
                    next();
                    made->pairs.emplace_back(key, node(depth + 1));
                }
                flow_ = outer;
                return made;
            }
            default: {
                const auto& scalar = event_.data.scalar;
                auto* made = make(Kind::scalar, scalar.tag, scalar.anchor);
                const bool quoted = scalar.style != YAML_PLAIN_SCALAR_STYLE &&
                                    scalar.style != YAML_ANY_SCALAR_STYLE;
                refuse_what_only_libyaml_reads(quoted);
                const bool bare = from_yaml(scalar.tag) == "!" && !quoted;
                made->plain = scalar.plain_implicit != 0 || bare;
                made->text.assign(reinterpret_cast<const char*>(scalar.value), scalar.length);
                if (quoted) {
                    const bool block = scalar.style == YAML_LITERAL_SCALAR_STYLE ||
                                       scalar.style == YAML_FOLDED_SCALAR_STYLE;
                    quoted_.push_back({.from = event_.start_mark.index,
                                       .to = event_.end_mark.index,
                                       .block = block});
                }
                return made;
            }
        }
    }

    yaml_parser_t parser_{};
    yaml_event_t event_{};
    std::deque<Node> nodes_{};
    std::map<std::string, Node*> anchors_{};
    std::vector<Span> quoted_{};
    int flow_ = 0;  ///< how deep in brackets
};

/// libyaml takes a tab as a blank, PyYAML only inside quotes, block texts and comments; and a
/// comment right behind the header of a block text.
void refuse_odd_blanks(const std::string& text, const std::vector<Span>& quoted) {
    std::size_t at = 0;  // in characters
    int line = 1;
    bool comment = false;
    bool header = false;  // of a block text
    char before = '\n';
    auto span = quoted.begin();
    for (const auto c : text) {
        if ((static_cast<unsigned char>(c) & 0xC0U) == 0x80U) {
            continue;  // inside a character
        }
        while (span != quoted.end() && span->to <= at) {
            ++span;
        }
        if (c == '\n' && span != quoted.end() && span->from <= at) {
            header = false;
        } else if (span != quoted.end() && span->from == at) {
            header = span->block;
        }
        const bool inside = span != quoted.end() && span->from <= at && !header;
        comment =
            c != '\n' && (comment || (!inside && c == '#' && (before == '\n' || before == ' ')));
        if (c == '\t' && !inside && !comment) {
            throw Refusal{line, "a tab where YAML takes only blanks", "replace it with blanks"};
        }
        if (header && c == '#' && before != ' ') {
            throw Refusal{line, "a comment without a blank before it",
                          "write a blank between | or > and #"};
        }
        line += c == '\n' ? 1 : 0;
        before = c;
        ++at;
    }
}

/// Nodes as values. Throws Refusal.
class Constructor {
public:
    explicit Constructor(YamlDocument& out) : out_(out) {}

    Json value(Node& node, const std::string& path) {
        count(node);
        switch (node.kind) {
            case Kind::scalar: {
                auto scalar = scalar_of(node);
                if (!scalar.is_string() && !scalar.is_null() && python_text(scalar) != node.text) {
                    out_.written[path] = node.text;
                }
                return scalar;
            }
            case Kind::sequence:
                return sequence(node, path);
            case Kind::mapping:
                break;
        }
        return mapping(node, path);
    }

private:
    using Pairs = std::vector<std::pair<Node*, Node*>>;

    /// While a node is walked, an alias to it would never end.
    class Walk {
    public:
        explicit Walk(Node& node) : node_(node) {
            if (node.open) {
                throw Refusal{node.line, "an anchor holds itself",
                              "write the values out where the alias stands"};
            }
            node.open = true;
        }
        ~Walk() { node_.open = false; }
        Walk(const Walk&) = delete;
        Walk& operator=(const Walk&) = delete;

    private:
        Node& node_;
    };

    void count(const Node& node) {
        if (++values_ > most_values) {
            throw Refusal{node.line,
                          fmt::format("its aliases unfold to more than {} values", most_values),
                          "write the values out"};
        }
    }

    static Json scalar_of(const Node& node) {
        auto value = !node.tag.empty() ? read_tagged_scalar(node.tag, node.text)
                     : node.plain      ? read_plain_scalar(node.text)
                                       : Result<Json>(Json(node.text));
        if (!value) {
            throw Refusal{node.line, value.error().message, value.error().hint};
        }
        return *std::move(value);
    }

    static void check_tag(const Node& node, const std::string& own) {
        if (!node.tag.empty() && node.tag != own) {
            throw Refusal{node.line, fmt::format("{} is a tag that no setting takes", node.tag),
                          "remove it"};
        }
    }

    Json sequence(Node& node, const std::string& path) {
        check_tag(node, core_seq);
        const Walk walk(node);
        auto out = Json::array();
        for (auto* item : node.items) {
            out.push_back(value(*item, path));
        }
        return out;
    }

    /// With what its merge keys bring before its own pairs, as PyYAML flattens it: a later pair
    /// beats an earlier one, and of a list of mappings the first one counts most.
    Pairs flattened(Node& node) {
        const Walk walk(node);
        Pairs merged;
        Pairs own;
        for (const auto& [key, brought] : node.pairs) {
            count(*key);
            if (!key->is_merge_key()) {
                own.emplace_back(key, brought);
            } else if (brought->kind == Kind::mapping) {
                append(merged, flattened(*brought));
            } else if (brought->kind == Kind::sequence) {
                for (auto one = brought->items.rbegin(); one != brought->items.rend(); ++one) {
                    if ((*one)->kind != Kind::mapping) {
                        refuse_merge(*key);
                    }
                    append(merged, flattened(**one));
                }
            } else {
                refuse_merge(*key);
            }
        }
        append(merged, own);
        return merged;
    }
    static void append(Pairs& into, const Pairs& more) {
        into.insert(into.end(), more.begin(), more.end());
    }
    [[noreturn]] static void refuse_merge(const Node& key) {
        throw Refusal{key.line, "<< needs a mapping, or a list of mappings",
                      "name an anchor of a mapping: <<: *defaults"};
    }

    Json mapping(Node& node, const std::string& path) {
        check_tag(node, core_map);
        const auto pairs = flattened(node);
        const std::set<Node*> own = own_keys(node);
        const Walk walk(node);
        auto out = Json::object();
        std::map<std::string, Json> keys;  // as they were before they became text
        std::map<std::string, int> lines;  // of the own ones
        std::map<double, std::string> numbers;
        for (const auto& [key_node, value_node] : pairs) {
            if (key_node->kind != Kind::scalar) {
                throw Refusal{key_node->line, "a key must be one word, not a list or a mapping",
                              "write it in quotes if it begins with [ or {"};
            }
            auto typed = key_node->plain && key_node->text == "=" && key_node->tag.empty()
                             ? Json("=")
                             : scalar_of(*key_node);
            const auto key = python_key(typed);
            const auto full = path.empty() ? key : path + "." + key;
            refuse_equal(*key_node, key, typed, keys, numbers);
            if (own.contains(key_node)) {
                if (const auto before = lines.find(key); before != lines.end()) {
                    out_.remarks.push_back(
                        {.path = full,
                         .line = key_node->line,
                         .text = fmt::format("is written again; this line counts as a whole, line "
                                             "{} does not (as Patroni reads it)",
                                             before->second)});
                }
                lines[key] = key_node->line;
            }
            out_.written.erase(full);
            out_.lines[full] = key_node->line;
            out[key] = value(*value_node, full);
        }
        return out;
    }
    static std::set<Node*> own_keys(const Node& node) {
        std::set<Node*> out;
        for (const auto& pair : node.pairs) {
            out.insert(pair.first);
        }
        return out;
    }
    /// Keys that are one key for Python (1, true, 1.0), or become one in the store (1, "1").
    static void refuse_equal(const Node& node, const std::string& key, const Json& typed,
                             std::map<std::string, Json>& keys,
                             std::map<double, std::string>& numbers) {
        const auto [same, is_new] = keys.emplace(key, typed);
        bool twice = !is_new && same->second.type() != typed.type();
        if (typed.is_number() || typed.is_boolean()) {
            const auto number =
                typed.is_boolean() ? (typed.get<bool>() ? 1.0 : 0.0) : typed.get<double>();
            twice = twice || numbers.emplace(number, key).first->second != key;
        }
        if (twice) {
            throw Refusal{node.line,
                          fmt::format("the key {} equals another one of its mapping", node.text),
                          "write keys in quotes"};
        }
    }

    YamlDocument& out_;
    int values_ = 0;
};

}  // namespace

Result<YamlDocument> read_yaml(const std::string& text, const std::string& place) {
    try {
        // A mark of the byte order would shift all positions by one.
        const auto body = text.starts_with("\xEF\xBB\xBF") ? text.substr(3) : text;
        if (const auto mark = body.find("\xEF\xBB\xBF"); mark != std::string::npos) {
            throw Refusal{
                static_cast<int>(std::count(
                    body.begin(), body.begin() + static_cast<std::ptrdiff_t>(mark), '\n')) +
                    1,
                "a mark of the byte order (U+FEFF) inside the text", "remove it"};
        }
        Composer composer(body);
        YamlDocument out;
        auto* root = composer.compose();
        refuse_odd_blanks(body, composer.quoted());
        if (root != nullptr) {
            out.value = Constructor(out).value(*root, "");
        }
        return out;
    } catch (const Refusal& refusal) {
        return fail(Errc::invalid, fmt::format("{}:{}: {}", place, refusal.line, refusal.message),
                    refusal.hint);
    }
}

}  // namespace howdah::config

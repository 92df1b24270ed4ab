using ModelZoo.Plugins.TextTokenizers.Decoders;
using ModelZoo.Plugins.TextTokenizers.Normalizers;
using ModelZoo.Plugins.TextTokenizers.Pipeline;
using ModelZoo.Plugins.TextTokenizers.PostProcessors;
using ModelZoo.Plugins.TextTokenizers.PreTokenizers;
using ModelZoo.Plugins.TextTokenizers.Unicode;

namespace ModelZoo.Plugins.TextTokenizers.Formats;

/// <summary>Reads the components around the model of a tokenizer.json.</summary>
internal static class ComponentReader
{
    public static Normalizer? ReadNormalizer(JsonCursor json)
    {
        if (json.IsNull) return null;
        var type = json["type"];
        return type.Text() switch
        {
            "Sequence" => new SequenceNormalizer([.. json["normalizers"].Items().Select(item => ReadNormalizer(item) ?? throw item.Wrong("a normalizer"))]),
            "NFC" => new UnicodeFormNormalizer(NormalizationForm.Nfc),
            "NFD" => new UnicodeFormNormalizer(NormalizationForm.Nfd),
            "NFKC" => new UnicodeFormNormalizer(NormalizationForm.Nfkc),
            "NFKD" => new UnicodeFormNormalizer(NormalizationForm.Nfkd),
            "Lowercase" => new LowercaseNormalizer(),
            "StripAccents" => new StripAccentsNormalizer(),
            "Nmt" => new NmtNormalizer(),
            "BertNormalizer" or "Bert" => new BertNormalizer(
                json["clean_text"].Flag(),
                json["handle_chinese_chars"].Flag(),
                json.Find("strip_accents") is { IsNull: false } strip ? strip.Flag() : null,
                json["lowercase"].Flag()),
            "Strip" => new StripNormalizer(json["strip_left"].Flag(), json["strip_right"].Flag()),
            "Prepend" => new PrependNormalizer(json["prepend"].Text()),
            "Replace" => ReadPattern(json, (pattern, isRegex) => new ReplaceNormalizer(pattern, isRegex, json["content"].Text())),
            "ByteLevel" => new ByteLevelNormalizer(),
            "Precompiled" => json.Guard(() => new PrecompiledNormalizer(Convert.FromBase64String(json["precompiled_charsmap"].Text()))),
            var other => throw type.Error("A normalizer of an unknown type.", found: other),
        };
    }

    public static PreTokenizer? ReadPreTokenizer(JsonCursor json)
    {
        if (json.IsNull) return null;
        var type = json["type"];
        return type.Text() switch
        {
            "Sequence" => new SequencePreTokenizer([.. json["pretokenizers"].Items().Select(item => ReadPreTokenizer(item) ?? throw item.Wrong("a pre-tokenizer"))]),
            "BertPreTokenizer" => new BertPreTokenizer(),
            "ByteLevel" => new ByteLevelPreTokenizer(json["add_prefix_space"].Flag(), json["trim_offsets"].Flag(), json.Find("use_regex").Flag(true)),
            "CharDelimiterSplit" => new CharDelimiterPreTokenizer(json["delimiter"].Character()),
            "Metaspace" => ReadMetaspace(json, (replacement, scheme, split) => new MetaspacePreTokenizer(replacement, scheme, split)),
            "Whitespace" => new WhitespacePreTokenizer(),
            "WhitespaceSplit" => new WhitespaceSplitPreTokenizer(),
            "Split" => ReadPattern(json, (pattern, isRegex) => new SplitPreTokenizer(pattern, isRegex, json["behavior"].Name<SplitBehavior>(), json["invert"].Flag())),
            "Punctuation" => new PunctuationPreTokenizer(json.Find("behavior") is { IsNull: false } behavior ? behavior.Name<SplitBehavior>() : SplitBehavior.Isolated),
            "Digits" => new DigitsPreTokenizer(json["individual_digits"].Flag()),
            "UnicodeScripts" => new UnicodeScriptsPreTokenizer(),
            "FixedLength" => new FixedLengthPreTokenizer(json.Find("length") is { IsNull: false } length ? length.Integer() is > 0 and var value ? value : throw length.Wrong("a length above 0") : 5),
            var other => throw type.Error("A pre-tokenizer of an unknown type.", found: other),
        };
    }

    public static PostProcessor? ReadPostProcessor(JsonCursor json)
    {
        if (json.IsNull) return null;
        var type = json["type"];
        return type.Text() switch
        {
            "Sequence" => new SequencePostProcessor([.. json["processors"].Items().Select(item => ReadPostProcessor(item) ?? throw item.Wrong("a post-processor"))]),
            "ByteLevel" => new ByteLevelPostProcessor(json["add_prefix_space"].Flag(), json["trim_offsets"].Flag(), json.Find("use_regex").Flag(true)),
            "BertProcessing" => new BertPostProcessor(ReadToken(json["sep"]), ReadToken(json["cls"])),
            "RobertaProcessing" => new RobertaPostProcessor(ReadToken(json["sep"]), ReadToken(json["cls"]), json["trim_offsets"].Flag(), json["add_prefix_space"].Flag()),
            "TemplateProcessing" => ReadTemplate(json),
            var other => throw type.Error("A post-processor of an unknown type.", found: other),
        };
    }

    public static TokenDecoder? ReadDecoder(JsonCursor json)
    {
        if (json.IsNull) return null;
        var type = json["type"];
        return type.Text() switch
        {
            "Sequence" => new SequenceDecoder([.. json["decoders"].Items().Select(item => ReadDecoder(item) ?? throw item.Wrong("a decoder"))]),
            "BPEDecoder" => new BpeDecoder(json["suffix"].Text()),
            "ByteLevel" => new ByteLevelDecoder(json.Find("add_prefix_space").Flag(true), json.Find("trim_offsets").Flag(true), json.Find("use_regex").Flag(true)),
            "WordPiece" => new WordPieceDecoder(json["prefix"].Text(), json["cleanup"].Flag()),
            "Metaspace" => ReadMetaspace(json, (replacement, scheme, split) => new MetaspaceDecoder(replacement, scheme, split)),
            "CTC" => new CtcDecoder(json["pad_token"].Text(), json["word_delimiter_token"].Text(), json["cleanup"].Flag()),
            "Replace" => ReadPattern(json, (pattern, isRegex) => new ReplaceDecoder(pattern, isRegex, json["content"].Text())),
            "Fuse" => new FuseDecoder(),
            "Strip" => new StripDecoder(json["content"].Character(), json["start"].Integer(), json["stop"].Integer()),
            "ByteFallback" => new ByteFallbackDecoder(),
            var other => throw type.Error("A decoder of an unknown type.", found: other),
        };
    }

    private static T ReadPattern<T>(JsonCursor json, Func<string, bool, T> make)
    {
        var pattern = json["pattern"];
        var literal = pattern.Find("String");
        var text = literal.IsNull ? pattern["Regex"].Text() : literal.Text();
        return pattern.Guard(() => make(text, literal.IsNull));
    }

    private static T ReadMetaspace<T>(JsonCursor json, Func<int, PrependScheme, bool, T> make)
    {
        var name = json.Find("prepend_scheme");
        var scheme = name.IsNull ? PrependScheme.Always : name.Text() switch
        {
            "always" => PrependScheme.Always,
            "first" => PrependScheme.First,
            "never" => PrependScheme.Never,
            _ => throw name.Wrong("always, first or never"),
        };
        if (json.Find("add_prefix_space") is { IsNull: false } prefix && !prefix.Flag() && scheme != PrependScheme.Never) throw prefix.Error("This does not fit the prepend scheme.", "true, or the scheme never", "false");
        return make(json["replacement"].Character(), scheme, json.Find("split").Flag(true));
    }

    private static (string, int) ReadToken(JsonCursor json)
    {
        var items = json.Items().ToArray();
        return items.Length == 2 ? (items[0].Text(), items[1].Integer()) : throw json.Wrong("a token and its id");
    }

    private static TemplatePostProcessor ReadTemplate(JsonCursor json)
    {
        var tokens = json["special_tokens"].Members().Select(member => new TemplateToken(
            member.Name,
            [.. member.Value["ids"].Items().Select(item => item.Integer())],
            [.. member.Value["tokens"].Items().Select(item => item.Text())])).ToArray();
        for (var i = 0; i < tokens.Length; i++)
        {
            if (tokens[i].Ids.Count != tokens[i].Tokens.Count) throw json["special_tokens"].Error($"{tokens[i].Name} has not as many ids as tokens.");
        }

        var names = tokens.Select(token => token.Name).ToHashSet();
        return new(Template(json["single"]), Template(json["pair"]), tokens);

        TemplatePiece[] Template(JsonCursor template) => [.. template.Items().Select(Piece)];

        TemplatePiece Piece(JsonCursor piece)
        {
            var special = piece.Find("SpecialToken");
            if (!special.IsNull)
            {
                var name = special["id"].Text();
                return names.Contains(name) ? new(null, name, special["type_id"].Integer()) : throw special["id"].Error("A special token of the template is not defined.", string.Join(", ", names), name);
            }

            var sequence = piece["Sequence"];
            return new(sequence["id"].Text() switch { "A" => 0, "B" => 1, _ => throw sequence["id"].Wrong("A or B") }, null, sequence["type_id"].Integer());
        }
    }
}

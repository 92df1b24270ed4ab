// Scope is all you need: Transforming LLMs for HPC Code, arXiv:2308.09440: names and tokens of a program.
using System.Text;

namespace ModelZoo.Plugins.TextTokenizers.Papers.Tokompiler;

/// <summary>Kinds of what is made anonymous, in the authors' order: of a name in several, the last one's prefix is taken.</summary>
internal enum NameKind
{
    Arg,
    Var,
    Arr,
    Func,
    Field,
    Type,
    Num,
    Char,
    Str,
}

/// <summary>A name, number or literal where it stands.</summary>
internal readonly record struct NamePlace(NameKind Kind, string Name, int Start, int End);

/// <summary>Programs in C as trees: their tokens and their names.</summary>
internal sealed class Lexicalizer
{
    private readonly Grammar _grammar;
    private readonly ParseTable _table;

    /// <summary>Reads the grammar of C and makes its automaton.</summary>
    public Lexicalizer()
    {
        using var resource = typeof(Lexicalizer).Assembly.GetManifestResourceStream("c.grammar")!;
        using var reader = new StreamReader(resource);
        _grammar = GrammarReader.Read(reader.ReadToEnd());
        _table = new(_grammar);
    }

    /// <summary>A program.</summary>
    public Program Read(string code)
    {
        var bytes = Encoding.UTF8.GetBytes(code);
        return new(_grammar, SyntaxParser.Parse(_grammar, _table, bytes), bytes);
    }

    /// <summary>A program's tree with its text.</summary>
    internal sealed class Program(Grammar grammar, SyntaxNode root, byte[] bytes)
    {
        /// <summary>The text from its first token on.</summary>
        public string Code => Text(root);

        /// <summary>The texts of the nodes that have no others within: of most tokens; of a literal the quotes and escapes alone.</summary>
        public IEnumerable<string> Leaves() => PlacedLeaves().Select(leaf => leaf.Text);

        /// <summary>The same with where they stand, in bytes.</summary>
        public IEnumerable<(string Text, int Start, int End)> PlacedLeaves() => Walk().Where(node => node.IsLeaf).Select(node => (Text(node.Node), node.Node.Start, node.Node.End));

        /// <summary>The byte that the first token begins at.</summary>
        public int Start => root.Start;

        /// <summary>Names, numbers and literals in the order of the text. What a name is follows from the last node around it that says so.</summary>
        public List<NamePlace> Names()
        {
            var names = new List<NamePlace>();
            foreach (var (node, kind, role, _) in Walk())
            {
                NameKind? found = kind switch
                {
                    "identifier" => role,
                    "field_identifier" => NameKind.Field,
                    "type_identifier" => NameKind.Type,
                    "number_literal" => NameKind.Num,
                    "char_literal" => NameKind.Char,
                    "string_literal" => NameKind.Str,
                    _ => null,
                };
                if (found is { } name) names.Add(new(name, Text(node), node.Start, node.End));
            }

            return names;
        }

        private string Text(SyntaxNode node) => Encoding.UTF8.GetString(bytes.AsSpan(node.Start..node.End));

        // The nodes that stand in the tree, each before those within it: its kind, and what a name in it is.
        private IEnumerable<(SyntaxNode Node, string Kind, NameKind Role, bool IsLeaf)> Walk()
        {
            var waiting = new Stack<(SyntaxNode Node, string? Alias, NameKind Role)>([(root, null, NameKind.Var)]);
            while (waiting.TryPop(out var next))
            {
                var (node, alias, role) = next;
                if (node.IsVisible || alias is not null)
                {
                    var kind = alias ?? (node.IsError ? "ERROR" : grammar.Names[node.Symbol]);
                    role = kind switch
                    {
                        "array_declarator" => NameKind.Arr,
                        "parameter_list" or "parameter_declaration" => NameKind.Arg,
                        "call_expression" or "function_declarator" => NameKind.Func,
                        "argument_list" or "field_expression" or "compound_statement" => NameKind.Var,
                        _ => role,
                    };
                    yield return (node, kind, role, node.VisibleChildren == 0);
                }

                var place = node.Children.Count(child => !child.IsExtra);
                for (var i = node.Children.Count - 1; i >= 0; i--)
                {
                    var child = node.Children[i];
                    if (!child.IsExtra) place--;
                    waiting.Push((child, child.IsExtra ? null : node.AliasAt(place), role));
                }
            }
        }
    }
}

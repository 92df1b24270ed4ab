using ModelZoo.Contracts;

namespace ModelZoo.Inference;

/// <summary>
/// Checks that extents of one name have one size in every input of a run. The engine plans its memory by the names: a run whose inputs disagree would read and write past what it was given.
/// </summary>
internal sealed class SymbolSizes
{
    private readonly string _session;
    private readonly IReadOnlyList<GraphPort> _ports;
    private readonly int[][] _symbols;
    private readonly int _count;

    public SymbolSizes(string session, IReadOnlyList<GraphPort> ports)
    {
        (_session, _ports) = (session, ports);
        var numbers = new Dictionary<string, int>();
        _symbols = [.. ports.Select(port => port.Shape.Select(dimension => Number(dimension.Symbol, numbers)).ToArray())];
        _count = numbers.Count;
    }

    /// <summary>Refuses shapes that disagree; those that are not bound are null.</summary>
    /// <exception cref="ModelZooException"><see cref="ErrorCodes.TensorType"/>: the message names both inputs.</exception>
    public void Check(ReadOnlySpan<long[]?> shapes)
    {
        Span<(int Port, long Size)> known = _count <= 64 ? stackalloc (int, long)[_count] : new (int, long)[_count];
        known.Fill((-1, 0));
        for (var port = 0; port < shapes.Length; port++)
        {
            for (var axis = 0; axis < shapes[port]?.Length; axis++)
            {
                var symbol = _symbols[port][axis];
                if (symbol < 0) continue;
                if (known[symbol].Port < 0) known[symbol] = (port, shapes[port]![axis]);
                else if (known[symbol].Size != shapes[port]![axis]) throw Disagreement(port, axis, shapes[port]![axis], known[symbol]);
            }
        }
    }

    // An extent that a file leaves without a name is '?', which says nothing about another.
    private static int Number(string? symbol, Dictionary<string, int> numbers)
    {
        if (symbol is null or "?") return -1;
        if (!numbers.TryGetValue(symbol, out var number)) numbers[symbol] = number = numbers.Count;
        return number;
    }

    private ModelZooException Disagreement(int port, int axis, long size, (int Port, long Size) known) => new(ErrorCodes.TensorType, "Two inputs disagree about an extent that has one name.")
    {
        Where = $"{_session}: {_ports[port].Name}, axis {axis}",
        Expected = $"{_ports[port].Shape[axis]} = {known.Size}, as in {_ports[known.Port].Name}",
        Found = size.ToString(),
    };
}

using ModelZoo.Contracts;

namespace ModelZoo.Networks;

/// <summary>A tensor in a graph under construction: its name, type and shape are known, its numbers are not. Operations add a node and give a new value.</summary>
public sealed class Value
{
    internal Value(Graph graph, string name, ElementType type, Shape shape, string path)
    {
        Graph = graph;
        Name = name;
        Type = type;
        Shape = shape;
        Path = path;
    }

    /// <summary>The graph it belongs to.</summary>
    public Graph Graph { get; }

    /// <summary>Its name in the graph.</summary>
    public string Name { get; }

    /// <summary>Type of its elements.</summary>
    public ElementType Type { get; }

    /// <summary>Its extents.</summary>
    public Shape Shape { get; }

    /// <summary>The path of the layer that made it; operations on it are named after that.</summary>
    public string Path { get; }

    /// <summary>Number of dimensions.</summary>
    public int Rank => Shape.Rank;

    /// <summary>Adds, with broadcasting.</summary>
    public static Value operator +(Value a, Value b) => a.Graph.Elementwise("Add", a, b);

    /// <summary>Subtracts, with broadcasting.</summary>
    public static Value operator -(Value a, Value b) => a.Graph.Elementwise("Sub", a, b);

    /// <summary>Multiplies, with broadcasting.</summary>
    public static Value operator *(Value a, Value b) => a.Graph.Elementwise("Mul", a, b);

    /// <summary>Divides, with broadcasting.</summary>
    public static Value operator /(Value a, Value b) => a.Graph.Elementwise("Div", a, b);

    /// <summary>Adds a number.</summary>
    public static Value operator +(Value a, double b) => a + a.Graph.Scalar(a.Type, b);

    /// <summary>Adds to a number.</summary>
    public static Value operator +(double a, Value b) => b + a;

    /// <summary>Subtracts a number.</summary>
    public static Value operator -(Value a, double b) => a - a.Graph.Scalar(a.Type, b);

    /// <summary>Subtracts from a number.</summary>
    public static Value operator -(double a, Value b) => b.Graph.Scalar(b.Type, a) - b;

    /// <summary>Multiplies by a number.</summary>
    public static Value operator *(Value a, double b) => a * a.Graph.Scalar(a.Type, b);

    /// <summary>Multiplies a number.</summary>
    public static Value operator *(double a, Value b) => b * a;

    /// <summary>Divides by a number.</summary>
    public static Value operator /(Value a, double b) => a / a.Graph.Scalar(a.Type, b);

    /// <summary>Divides a number.</summary>
    public static Value operator /(double a, Value b) => b.Graph.Scalar(b.Type, a) / b;

    /// <summary>Negates.</summary>
    public static Value operator -(Value a) => a.Unary("Neg");

    /// <inheritdoc/>
    public override string ToString() => $"{Name}: {Type}{Shape}";
}

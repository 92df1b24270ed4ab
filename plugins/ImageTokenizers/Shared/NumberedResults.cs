using ModelZoo.Contracts;

namespace ModelZoo.Plugins.ImageTokenizers;

internal static class NumberedResults
{
    private const int Most = 4;

    /// <summary>A result of a call that a comparison makes several times and whose outputs it numbers in the order of the calls: <c>name_0</c>, <c>name_1</c>...</summary>
    public static CallResults AddNumbered(this CallResults results, string name, Tensor tensor)
    {
        for (var number = 0; number < Most; number++) results.Add($"{name}_{number}", tensor);
        return results.Add(name, tensor);
    }
}

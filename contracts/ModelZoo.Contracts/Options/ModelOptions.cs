namespace ModelZoo.Contracts;

/// <summary>
/// Options of a call. A descendant is a record whose init-only properties carry a default, a <see cref="System.ComponentModel.DescriptionAttribute"/> and validation attributes; schema, help text and error messages all come from them.
/// </summary>
public abstract record ModelOptions
{
    /// <summary>These options as <typeparamref name="T"/>.</summary>
    /// <exception cref="OptionsException">They are those of another model.</exception>
    public T Expect<T>() where T : ModelOptions => this as T
        ?? throw new OptionsException(ErrorCodes.OptionType, "These are the options of another model.") { Expected = typeof(T).Name, Found = GetType().Name };
}

/// <summary>For calls without options.</summary>
public sealed record NoOptions : ModelOptions;

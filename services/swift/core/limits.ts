/** Limits of names, metadata, objects and listings, as `/info` shows them. */
export interface Limits {
  max_file_size: number
  max_meta_name_length: number
  max_meta_value_length: number
  max_meta_count: number
  max_meta_overall_size: number
  max_header_size: number
  max_object_name_length: number
  max_account_name_length: number
  max_container_name_length: number
  container_listing_limit: number
  account_listing_limit: number
  extra_header_count: number
}

export const limits: Limits = {
  max_file_size: 5_368_709_122,
  max_meta_name_length: 128,
  max_meta_value_length: 256,
  max_meta_count: 90,
  max_meta_overall_size: 4096,
  max_header_size: 8192,
  max_object_name_length: 1024,
  max_account_name_length: 256,
  max_container_name_length: 256,
  container_listing_limit: 10_000,
  account_listing_limit: 10_000,
  extra_header_count: 0,
}
